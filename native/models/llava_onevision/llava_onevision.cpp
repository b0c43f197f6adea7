#include "models/family.h"
#include "models/llava/text_model.h"
#include "models/llava_onevision/vision.h"
#include "models/multimodal_lm.h"

namespace sensorium {

std::unique_ptr<Model> load_llava_onevision(LoadRequest request) {
  const TextConfig text = read_llava_text_config(request.config, "qwen2");
  TextDecoder decoder(text, request.loader);
  auto vision = std::make_unique<OnevisionVision>(request.config, text.hidden_size, request.loader);
  ModelInfo info = finish_info(std::move(request.info), text, request.loader);
  info.has_image = info.has_video = true;
  return std::make_unique<MultimodalLm>(std::move(decoder), std::move(info), std::nullopt,
                                        MultimodalLm::Encoders{std::move(vision), nullptr});
}

}  // namespace sensorium
