#include "models/family.h"
#include "models/multimodal_lm.h"
#include "models/phi3/phi3.h"
#include "models/phi3_v/vision.h"

namespace sensorium {

std::unique_ptr<Model> load_phi3_v(LoadRequest request) {
  const TextConfig text = read_composite_text_config(request.config, phi3_text_defaults());
  const VitConfig tower = read_phi3_tower(request.config);
  TextDecoder decoder(text, request.loader);
  auto vision = std::make_unique<Phi3Vision>(tower, text.hidden_size, request.loader);
  ModelInfo info = finish_info(std::move(request.info), text, request.loader);
  info.has_image = true;
  return std::make_unique<MultimodalLm>(std::move(decoder), std::move(info), std::nullopt,
                                        MultimodalLm::Encoders{std::move(vision), nullptr});
}

}  // namespace sensorium
