#pragma once

#include <optional>
#include <span>
#include <vector>

#include "layers/encoder_block.h"
#include "layers/patch_embedding.h"
#include "models/vit/vit_config.h"

namespace sensorium {

/// Pictures that go through a Vit together, each of the same number of patches.
struct VitInput {
  const ProcessedMedia& media;
  int64_t first_row = 0;  ///< of the media's input rows
  int64_t num_pictures = 0;
  std::span<const int32_t> positions;  ///< [patches of one picture] rows of the position table
};

/// The vision transformer of CLIP and SigLIP: patches with learned positions, pre-norm blocks with full attention.
class Vit {
 public:
  /// Reads embeddings.{patch_embedding, position_embedding, class_embedding}, pre_layrnorm, encoder.layers.N and, where the
  /// output is normed, post_layernorm. Blocks behind the last output are not read.
  Vit(const VitConfig& config, WeightLoader loader);

  const VitConfig& config() const { return config_; }
  /// Numbers of one patch.
  int64_t patch_dim() const { return patch_embedding_.patch_dim(); }
  /// Throws kInvalidMedia unless `media` holds pictures of this tower's size; returns how many.
  int64_t count_pictures(const ProcessedMedia& media) const;
  /// output [num_pictures * (patches + class token, where kept), output_width]. Goes through in groups of bounded memory.
  void forward(const VitInput& input, Arena& arena, Matrix output) const;
  /// The same for all pictures of `media`, each of which has the tower's own size.
  void forward(const ProcessedMedia& media, Arena& arena, Matrix output) const;

 private:
  void forward_group(const VitInput& input, Arena& arena, Matrix output) const;
  void embed(const VitInput& input, Arena& arena, Matrix hidden) const;
  /// Copies what `depth` blocks made to the columns of the output that want it.
  void store_depth(int64_t depth, ConstMatrix hidden, int64_t num_pictures, Matrix output) const;

  VitConfig config_;
  Backend& backend_;
  PatchEmbedding patch_embedding_;
  Tensor positions_;    ///< [num_positions, hidden_size]
  Tensor class_token_;  ///< [hidden_size], with CLIP
  std::optional<Norm> pre_norm_;
  std::optional<Norm> final_norm_;
  std::vector<EncoderBlock> blocks_;
};

}  // namespace sensorium
