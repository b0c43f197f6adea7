#include "models/family.h"
#include "models/multimodal_lm.h"
#include "models/qwen2_5_omni/audio_encoder.h"
#include "models/qwen2_5_vl/vision.h"

namespace sensorium {
namespace {

/// Defaults of Hugging Face's Qwen2_5OmniTextConfig.
TextConfig text_defaults() {
  TextConfig config;
  config.vocab_size = 152064;
  config.hidden_size = 3584;
  config.intermediate_size = 18944;
  config.num_layers = 28;
  config.heads = {28, 4, 0};
  config.has_qkv_bias = true;
  config.sliding_window = 32768;
  config.rotary.theta = 1e6;
  config.rotary.sections = ops::MropeSections{{16, 24, 24}, false};
  return config;
}

MropeRules read_rules(const ConfigSection& thinker, int64_t merge_size) {
  MropeRules rules;
  rules.merge_size = static_cast<int32_t>(merge_size);
  rules.image_token_id = thinker.token_id({"image_token_index", "image_token_id"}, 151655);
  rules.video_token_id = thinker.token_id({"video_token_index", "video_token_id"}, 151656);
  rules.audio_token_id = thinker.token_id({"audio_token_index", "audio_token_id"}, 151646);
  rules.ids_per_second = static_cast<float>(thinker.positive({"position_id_per_seconds"}, 25.0));
  return rules;
}

}  // namespace

/// The thinker: speech output (talker, token2wav) is not read.
std::unique_ptr<Model> load_qwen2_5_omni(LoadRequest request) {
  const ConfigSection thinker =
      request.config.has("thinker_config") ? request.config.section("thinker_config") : request.config;
  const TextConfig text = read_composite_text_config(thinker, text_defaults());
  const ConfigSection vision_section = thinker.section("vision_config"), audio_section = thinker.section("audio_config");
  const VisionConfig vision = read_qwen2_5_vision_config(vision_section);
  const AudioConfig audio = read_audio_config(audio_section);
  if (vision.out_hidden_size != text.hidden_size)
    vision_section.fail("out_hidden_size", "differs from the language model's width");
  if (audio.out_hidden_size != text.hidden_size) audio_section.fail("output_dim", "differs from the language model's width");
  TextDecoder decoder(text, request.loader);
  std::unique_ptr<VisionTower> tower = load_qwen2_5_vision(vision, request.loader);
  auto hearing = std::make_unique<AudioEncoder>(audio, request.loader.scope("audio_tower"));
  ModelInfo info = finish_info(std::move(request.info), text, request.loader);
  info.has_image = info.has_video = info.has_audio = true;
  return std::make_unique<MultimodalLm>(std::move(decoder), std::move(info), read_rules(thinker, vision.merge_size),
                                        MultimodalLm::Encoders{std::move(tower), std::move(hearing)});
}

}  // namespace sensorium
