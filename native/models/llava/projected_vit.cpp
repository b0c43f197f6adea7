#include "models/llava/projected_vit.h"

#include <string>

namespace sensorium {
namespace {

Mlp load_projector(const ConfigSection& config, int64_t tower_width, int64_t text_width, WeightLoader loader) {
  const bool has_bias = config.flag({"multimodal_projector_bias"}, true);
  Linear up = Linear::load(loader, tower_width, {{"linear_1", text_width, has_bias}});
  Linear down = Linear::load(loader, text_width, {{"linear_2", text_width, has_bias}});
  return {std::move(up), std::move(down), config.activation({"projector_hidden_act"}, "gelu")};
}

}  // namespace

VitConfig read_llava_tower(const ConfigSection& config, int64_t fallback_layer, std::string_view fallback_strategy) {
  VitConfig tower = read_clip_or_siglip_config(config.section("vision_config"));
  select_features(config, "vision_feature_layer", fallback_layer, tower);
  const std::string strategy = config.text({"vision_feature_select_strategy"}, fallback_strategy);
  if (strategy != "default" && strategy != "full") {
    config.fail_unsupported("vision_feature_select_strategy", "expected \"default\" or \"full\"");
  }
  if (strategy == "default" && !tower.is_clip) {
    config.fail_unsupported("vision_feature_select_strategy",
                            "\"default\" drops a class token, which this tower does not have");
  }
  tower.keeps_class_token = tower.is_clip && strategy == "full";
  return tower;
}

ProjectedVit::ProjectedVit(const ConfigSection& config, const VitConfig& tower, int64_t text_width, WeightLoader& loader)
    : vit_(tower, loader.scope("vision_tower")),
      projector_(load_projector(config, tower.output_width(), text_width, loader.scope("multi_modal_projector"))) {}

void ProjectedVit::forward(Backend& backend, const ProcessedMedia& media, Arena& arena, Matrix output) const {
  Arena::Scope scope(arena);
  const Matrix features = arena.matrix(output.rows, vit_.config().output_width());
  vit_.forward(media, arena, features);
  projector_.forward(backend, arena, features, output);
}

}  // namespace sensorium
