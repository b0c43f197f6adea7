#include "models/family.h"
#include "models/multimodal_lm.h"
#include "models/qwen2_5_vl/vision.h"
#include "models/qwen2_vl/qwen2_vl.h"

namespace sensorium {

std::unique_ptr<Model> load_qwen2_5_vl(LoadRequest request) {
  const TextConfig text = read_composite_text_config(request.config, qwen2_vl_text_defaults());
  const ConfigSection vision_section = request.config.section("vision_config");
  const VisionConfig vision = read_qwen2_5_vision_config(vision_section);
  if (vision.out_hidden_size != text.hidden_size)
    vision_section.fail("out_hidden_size", "differs from the language model's width");
  MropeRules rules = read_qwen2_vl_rules(request.config, vision.merge_size);
  rules.ids_per_second = static_cast<float>(vision_section.positive({"tokens_per_second"}, 4.0));
  TextDecoder decoder(text, request.loader);
  std::unique_ptr<VisionTower> tower = load_qwen2_5_vision(vision, request.loader);
  ModelInfo info = finish_info(std::move(request.info), text, request.loader);
  info.has_image = info.has_video = true;
  return std::make_unique<MultimodalLm>(std::move(decoder), std::move(info), rules,
                                        MultimodalLm::Encoders{std::move(tower), nullptr});
}

}  // namespace sensorium
