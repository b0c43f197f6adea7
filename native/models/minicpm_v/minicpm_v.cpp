#include "models/family.h"
#include "models/minicpm_v/vision.h"
#include "models/multimodal_lm.h"
#include "models/qwen2/qwen2.h"

namespace sensorium {
namespace {

/// The keys of versions with another language model or resampler look the same.
void check_version(const ConfigSection& config) {
  const std::string version = config.label({"version"}, "2.6");
  if (version != "2.6") config.fail_unsupported("version", "of MiniCPM-V only 2.6 is supported");
}

}  // namespace

std::unique_ptr<Model> load_minicpm_v(LoadRequest request) {
  check_version(request.config);
  const TextConfig text = read_text_config(request.config, qwen2_text_defaults());
  const VitConfig tower = read_minicpm_tower(request.config);
  const Resampler::Size resampler = read_resampler_size(request.config, tower.hidden_size, text.hidden_size);
  TextDecoder decoder(text, request.loader);
  auto vision = std::make_unique<MinicpmVision>(tower, resampler, request.loader);
  ModelInfo info = finish_info(std::move(request.info), text, request.loader);
  info.has_image = true;
  return std::make_unique<MultimodalLm>(std::move(decoder), std::move(info), std::nullopt,
                                        MultimodalLm::Encoders{std::move(vision), nullptr});
}

}  // namespace sensorium
