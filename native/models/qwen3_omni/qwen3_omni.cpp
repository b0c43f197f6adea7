#include "models/family.h"
#include "models/multimodal_lm.h"
#include "models/qwen3_omni/audio_encoder.h"
#include "models/qwen3_vl/vision.h"

namespace sensorium {
namespace {

/// Defaults of Hugging Face's Qwen3OmniMoeTextConfig.
TextConfig text_defaults() {
  TextConfig config;
  config.vocab_size = 3584;
  config.hidden_size = 2048;
  config.intermediate_size = 18944;
  config.num_layers = 28;
  config.heads = {28, 4, 0};
  config.has_qk_norm = true;
  config.rotary.theta = 1e6;
  config.rotary.sections = ops::MropeSections{{24, 20, 20}, true};
  config.moe = MoeConfig{128, 8, 768, true, 1, {}};
  return config;
}

VisionConfig read_tower(const ConfigSection& section) {
  VisionConfig config = read_qwen3_vision_config(section);
  config.merger_names = {"ln_q", "mlp.0", "mlp.2"};
  config.deepstack_name = "merger_list";
  return config;
}

MropeRules read_rules(const ConfigSection& thinker, int64_t merge_size) {
  MropeRules rules;
  rules.merge_size = static_cast<int32_t>(merge_size);
  rules.image_token_id = thinker.token_id({"image_token_id"}, 151655);
  rules.video_token_id = thinker.token_id({"video_token_id"}, 151656);
  rules.audio_token_id = thinker.token_id({"audio_token_id"}, 151646);
  rules.ids_per_second = static_cast<float>(thinker.positive({"position_id_per_seconds"}, 25.0));
  rules.has_fractional_time = true;
  rules.has_shared_borders = false;
  return rules;
}

}  // namespace

/// The thinker: speech output (talker, code2wav) is not read.
std::unique_ptr<Model> load_qwen3_omni(LoadRequest request) {
  const ConfigSection thinker =
      request.config.has("thinker_config") ? request.config.section("thinker_config") : request.config;
  TextConfig text = read_composite_text_config(thinker, text_defaults());
  const ConfigSection vision_section = thinker.section("vision_config"), audio_section = thinker.section("audio_config");
  const VisionConfig vision = read_tower(vision_section);
  const Qwen3AudioConfig audio = read_qwen3_audio_config(audio_section);
  if (vision.out_hidden_size != text.hidden_size)
    vision_section.fail("out_hidden_size", "differs from the language model's width");
  if (audio.out_hidden_size != text.hidden_size) audio_section.fail("output_dim", "differs from the language model's width");
  text.num_deepstack_levels = static_cast<int64_t>(vision.deepstack_blocks.size());
  TextDecoder decoder(text, request.loader);
  std::unique_ptr<VisionTower> tower = load_qwen3_vision(vision, request.loader);
  auto hearing = std::make_unique<Qwen3AudioEncoder>(audio, request.loader.scope("audio_tower"));
  ModelInfo info = finish_info(std::move(request.info), text, request.loader);
  info.has_image = info.has_video = info.has_audio = true;
  return std::make_unique<MultimodalLm>(std::move(decoder), std::move(info), read_rules(thinker, vision.merge_size),
                                        MultimodalLm::Encoders{std::move(tower), std::move(hearing)});
}

}  // namespace sensorium
