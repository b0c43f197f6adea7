#include "models/family.h"
#include "models/llava/projected_vit.h"
#include "models/llava/text_model.h"
#include "models/multimodal_lm.h"

namespace sensorium {
namespace {

/// A row for each patch of a picture.
class LlavaVision final : public MediaEncoder {
 public:
  LlavaVision(Backend& backend, ProjectedVit tower) : backend_(backend), tower_(std::move(tower)) {}

  int64_t width() const override { return tower_.width(); }
  int64_t num_rows(const ProcessedMedia& media) const override {
    return tower_.count_pictures(media) * tower_.config().num_outputs();
  }
  Tensor encode(const ProcessedMedia& media, Arena& arena) const override {
    Tensor output({num_rows(media), width()});
    tower_.forward(backend_, media, arena, Matrix(output.data(), output.shape()[0], width()));
    return output;
  }

 private:
  Backend& backend_;
  ProjectedVit tower_;
};

}  // namespace

std::unique_ptr<Model> load_llava(LoadRequest request) {
  const TextConfig text = read_llava_text_config(request.config, "llama");
  const VitConfig tower = read_llava_tower(request.config, -2, "default");
  TextDecoder decoder(text, request.loader);
  auto vision = std::make_unique<LlavaVision>(request.loader.backend(),
                                              ProjectedVit(request.config, tower, text.hidden_size, request.loader));
  ModelInfo info = finish_info(std::move(request.info), text, request.loader);
  info.has_image = true;
  return std::make_unique<MultimodalLm>(std::move(decoder), std::move(info), std::nullopt,
                                        MultimodalLm::Encoders{std::move(vision), nullptr});
}

}  // namespace sensorium
