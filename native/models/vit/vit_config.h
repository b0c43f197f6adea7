#pragma once

#include <cstdint>
#include <vector>

#include "models/config_section.h"

namespace sensorium {

/// Sizes and choices of a vision transformer.
struct VitConfig {
  int64_t hidden_size = 768;
  int64_t intermediate_size = 3072;
  int64_t num_layers = 12;
  int64_t num_heads = 12;
  int64_t num_channels = 3;
  int64_t image_size = 224;  ///< side of a square picture
  int64_t patch_size = 16;
  float norm_eps = 1e-6F;
  Activation activation = Activation::kGeluTanh;
  /// CLIP: a class token before the patches, a norm before the first block, no bias in the patch embedding.
  bool is_clip = false;
  /// How many blocks lie before each output; outputs are joined along the columns.
  std::vector<int64_t> feature_depths;
  bool has_final_norm = false;     ///< post_layernorm over the output
  bool keeps_class_token = false;  ///< the class token's row comes first in the output

  int64_t patches_per_side() const { return image_size / patch_size; }
  int64_t num_patches() const { return patches_per_side() * patches_per_side(); }
  int64_t num_positions() const { return num_patches() + (is_clip ? 1 : 0); }
  int64_t num_outputs() const { return num_patches() + (keeps_class_token ? 1 : 0); }
  int64_t output_width() const { return hidden_size * static_cast<int64_t>(feature_depths.size()); }
};

/// Class defaults of CLIPVisionConfig and SiglipVisionConfig. The output is that of all blocks.
VitConfig clip_defaults();
VitConfig siglip_defaults();
/// Reads a vision_config over `defaults`. Throws kInvalidCheckpoint, kUnsupportedArchitecture.
VitConfig read_vit_config(const ConfigSection& section, VitConfig defaults);
/// `model_type` of a vision_config decides which defaults count. Throws kUnsupportedArchitecture on other towers.
VitConfig read_clip_or_siglip_config(const ConfigSection& section);
/// Takes hidden states by their Hugging Face index: 0 is the embedding, -1 the last block's output.
void select_features(const ConfigSection& section, std::string_view key, int64_t fallback, VitConfig& config);

}  // namespace sensorium
