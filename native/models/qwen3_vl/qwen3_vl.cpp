#include "models/family.h"
#include "models/multimodal_lm.h"
#include "models/qwen3_vl/vision.h"

namespace sensorium {
namespace {

TextConfig shared_defaults() {
  TextConfig config;
  config.vocab_size = 151936;
  config.max_position_embeddings = 128000;
  config.has_qk_norm = true;
  config.rotary.theta = 5e5;
  config.rotary.sections = ops::MropeSections{{24, 20, 20}, true};
  return config;
}

/// Defaults of Hugging Face's Qwen3VLTextConfig.
TextConfig dense_defaults() {
  TextConfig config = shared_defaults();
  config.hidden_size = 4096;
  config.intermediate_size = 22016;
  config.num_layers = 32;
  config.heads = {32, 32, 128};
  return config;
}

/// Defaults of Hugging Face's Qwen3VLMoeTextConfig.
TextConfig moe_defaults() {
  TextConfig config = shared_defaults();
  config.hidden_size = 2048;
  config.intermediate_size = 5632;
  config.num_layers = 24;
  config.heads = {16, 16, 0};
  config.moe = MoeConfig{60, 4, 1408, true, 1, {}};
  return config;
}

MropeRules read_rules(const ConfigSection& config, int64_t merge_size) {
  MropeRules rules;
  rules.merge_size = static_cast<int32_t>(merge_size);
  rules.image_token_id = config.token_id({"image_token_id"}, 151655);
  rules.video_token_id = config.token_id({"video_token_id"}, 151656);
  rules.has_split_videos = true;
  return rules;
}

std::unique_ptr<Model> load(LoadRequest request, TextConfig defaults) {
  TextConfig text = read_composite_text_config(request.config, std::move(defaults));
  const ConfigSection vision_section = request.config.section("vision_config");
  const VisionConfig vision = read_qwen3_vision_config(vision_section);
  if (vision.out_hidden_size != text.hidden_size)
    vision_section.fail("out_hidden_size", "differs from the language model's width");
  if (text.moe) text.moe->is_renormalized = true;  // whatever the file says, as the class does
  text.num_deepstack_levels = static_cast<int64_t>(vision.deepstack_blocks.size());
  TextDecoder decoder(text, request.loader);
  std::unique_ptr<VisionTower> tower = load_qwen3_vision(vision, request.loader);
  ModelInfo info = finish_info(std::move(request.info), text, request.loader);
  info.has_image = info.has_video = true;
  return std::make_unique<MultimodalLm>(std::move(decoder), std::move(info), read_rules(request.config, vision.merge_size),
                                        MultimodalLm::Encoders{std::move(tower), nullptr});
}

}  // namespace

std::unique_ptr<Model> load_qwen3_vl(LoadRequest request) { return load(std::move(request), dense_defaults()); }

std::unique_ptr<Model> load_qwen3_vl_moe(LoadRequest request) { return load(std::move(request), moe_defaults()); }

}  // namespace sensorium
