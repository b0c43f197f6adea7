#pragma once

#include "layers/mlp.h"
#include "models/media_encoder.h"
#include "models/vit/vit.h"

namespace sensorium {

/// The tower that `config`, a whole config.json, describes, with the output that vision_feature_layer and
/// vision_feature_select_strategy name. Throws kInvalidCheckpoint, kUnsupportedArchitecture.
VitConfig read_llava_tower(const ConfigSection& config, int64_t fallback_layer, std::string_view fallback_strategy);

/// A vision tower and the projector behind it, as the LLaVA families have them.
class ProjectedVit {
 public:
  /// Reads `vision_tower` and multi_modal_projector.linear_{1,2}; `config` is the whole config.json.
  ProjectedVit(const ConfigSection& config, const VitConfig& tower, int64_t text_width, WeightLoader& loader);

  const VitConfig& config() const { return vit_.config(); }
  int64_t width() const { return projector_.num_columns(); }
  int64_t count_pictures(const ProcessedMedia& media) const { return vit_.count_pictures(media); }
  /// output [pictures * num_outputs, width].
  void forward(Backend& backend, const ProcessedMedia& media, Arena& arena, Matrix output) const;

 private:
  Vit vit_;
  Mlp projector_;
};

}  // namespace sensorium
