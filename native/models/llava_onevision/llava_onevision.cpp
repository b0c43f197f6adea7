#include "models/family.h"
#include "models/llava/text_model.h"
#include "models/llava_onevision/vision.h"
#include "models/multimodal_lm.h"

namespace sensorium {

namespace {

VitConfig read_tower(const ConfigSection& config) {
  VitConfig tower = read_llava_tower(config, -1, "full");
  if (tower.keeps_class_token) {
    config.fail_unsupported("vision_feature_select_strategy", "a class token among the patches is not supported here");
  }
  return tower;
}

}  // namespace

std::unique_ptr<Model> load_llava_onevision(LoadRequest request) {
  const TextConfig text = read_llava_text_config(request.config, "qwen2");
  const VitConfig tower = read_tower(request.config);
  TextDecoder decoder(text, request.loader);
  auto vision =
      std::make_unique<OnevisionVision>(ProjectedVit(request.config, tower, text.hidden_size, request.loader), request.loader);
  ModelInfo info = finish_info(std::move(request.info), text, request.loader);
  info.has_image = info.has_video = true;
  return std::make_unique<MultimodalLm>(std::move(decoder), std::move(info), std::nullopt,
                                        MultimodalLm::Encoders{std::move(vision), nullptr});
}

}  // namespace sensorium
