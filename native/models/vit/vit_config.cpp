#include "models/vit/vit_config.h"

#include <string>

namespace sensorium {
namespace {

constexpr int64_t kMaxImageSide = 1 << 14;
constexpr int64_t kMaxPatch = 1024;

}  // namespace

VitConfig clip_defaults() {
  VitConfig config;
  config.patch_size = 32;
  config.norm_eps = 1e-5F;
  config.activation = Activation::kQuickGelu;
  config.is_clip = true;
  return config;
}

VitConfig siglip_defaults() { return {}; }

VitConfig read_vit_config(const ConfigSection& section, VitConfig config) {
  config.hidden_size = section.count({"hidden_size"}, config.hidden_size, kMaxWidth);
  config.intermediate_size = section.count({"intermediate_size"}, config.intermediate_size, kMaxWidth);
  config.num_layers = section.count({"num_hidden_layers"}, config.num_layers, kMaxLayers);
  config.num_heads = section.count({"num_attention_heads"}, config.num_heads, kMaxWidth);
  config.num_channels = section.count({"num_channels"}, config.num_channels, kMaxPatch);
  config.image_size = section.count({"image_size"}, config.image_size, kMaxImageSide);
  config.patch_size = section.count({"patch_size"}, config.patch_size, kMaxPatch);
  config.norm_eps = static_cast<float>(section.positive({"layer_norm_eps"}, static_cast<double>(config.norm_eps)));
  if (section.has("hidden_act")) config.activation = section.activation({"hidden_act"}, "");
  if (config.num_channels != 3) section.fail_unsupported("num_channels", "only pictures of 3 channels are supported");
  if (config.hidden_size % config.num_heads != 0) section.fail("num_attention_heads", "does not divide hidden_size");
  if (config.patch_size > config.image_size) section.fail("patch_size", "is above image_size");
  config.feature_depths = {config.num_layers};
  return config;
}

VitConfig read_clip_or_siglip_config(const ConfigSection& section) {
  const std::string type = section.text({"model_type"}, "clip_vision_model");
  if (type == "clip_vision_model") return read_vit_config(section, clip_defaults());
  if (type == "siglip_vision_model") return read_vit_config(section, siglip_defaults());
  section.fail_unsupported("model_type", "the vision tower \"" + type + "\" is not supported");
}

void select_features(const ConfigSection& section, std::string_view key, int64_t fallback, VitConfig& config) {
  config.feature_depths.clear();
  for (const int64_t index : section.signed_integers(key, fallback, kMaxLayers)) {
    const int64_t depth = index < 0 ? config.num_layers + 1 + index : index;
    if (depth < 0 || depth > config.num_layers) section.fail(key, "names a layer that the tower does not have");
    config.feature_depths.push_back(depth);
  }
  if (config.feature_depths.empty() || config.output_width() > kMaxWidth) section.fail(key, "names no or too many layers");
}

}  // namespace sensorium
