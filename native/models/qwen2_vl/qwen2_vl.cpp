#include "models/qwen2_vl/qwen2_vl.h"

#include <algorithm>

#include "models/family.h"
#include "models/multimodal_lm.h"
#include "models/vision/vision_tower.h"

namespace sensorium {
namespace {

constexpr float kNormEps = 1e-6F;

/// Defaults of Hugging Face's Qwen2VLVisionConfig. Its `hidden_size` is the language model's width, `embed_dim` its own.
VisionConfig read_tower(const ConfigSection& section) {
  VisionConfig config;
  config.hidden_size = section.count({"embed_dim"}, 1280, kMaxWidth);
  config.out_hidden_size = section.count({"hidden_size"}, 3584, kMaxWidth);
  const double mlp_ratio = section.positive({"mlp_ratio"}, 4.0);
  config.intermediate_size = static_cast<int64_t>(static_cast<double>(config.hidden_size) * std::min(mlp_ratio, 65.0));
  if (mlp_ratio > 64.0 || config.intermediate_size < 1) section.fail("mlp_ratio", "expected at most 64 and one column or more");
  config.activation = section.activation({"hidden_act"}, "quick_gelu");
  return read_vision_config(section, config);
}

EncoderBlock load_block(WeightLoader& loader, const VisionConfig& config) {
  const int64_t width = config.hidden_size;
  Norm attention_norm = Norm::layer(loader, "norm1", width, kNormEps);
  Linear qkv = Linear::load(loader, width, {{"attn.qkv", 3 * width, true}});
  Linear attention_out = Linear::load(loader, width, {{"attn.proj", width, true}});
  Norm mlp_norm = Norm::layer(loader, "norm2", width, kNormEps);
  Linear up = Linear::load(loader, width, {{"mlp.fc1", config.intermediate_size, true}});
  Linear down = Linear::load(loader, config.intermediate_size, {{"mlp.fc2", width, true}});
  return EncoderBlock({std::move(attention_norm), std::move(qkv), std::move(attention_out), std::move(mlp_norm),
                       Mlp(std::move(up), std::move(down), config.activation), config.num_heads});
}

}  // namespace

TextConfig qwen2_vl_text_defaults() {
  TextConfig config;
  config.vocab_size = 152064;
  config.hidden_size = 8192;
  config.intermediate_size = 29568;
  config.num_layers = 80;
  config.heads = {64, 8, 0};
  config.rms_norm_eps = 1e-5F;
  config.has_qkv_bias = true;
  config.sliding_window = 4096;
  config.first_sliding_layer = 80;
  config.rotary.theta = 1e6;
  config.rotary.sections = ops::MropeSections{{16, 24, 24}, false};
  return config;
}

MropeRules read_qwen2_vl_rules(const ConfigSection& config, int64_t merge_size) {
  MropeRules rules;
  rules.merge_size = static_cast<int32_t>(merge_size);
  rules.image_token_id = config.token_id({"image_token_id", "image_token_index"}, 151655);
  rules.video_token_id = config.token_id({"video_token_id", "video_token_index"}, 151656);
  return rules;
}

std::unique_ptr<Model> load_qwen2_vl(LoadRequest request) {
  const TextConfig text = read_composite_text_config(request.config, qwen2_vl_text_defaults());
  const ConfigSection vision_section = request.config.section("vision_config");
  const VisionConfig vision = read_tower(vision_section);
  if (vision.out_hidden_size != text.hidden_size) vision_section.fail("hidden_size", "differs from the language model's");
  TextDecoder decoder(text, request.loader);
  auto tower = std::make_unique<VisionTower>(vision, request.loader.scope("visual"), load_block, Norm::layer);
  ModelInfo info = finish_info(std::move(request.info), text, request.loader);
  info.has_image = info.has_video = true;
  return std::make_unique<MultimodalLm>(std::move(decoder), std::move(info),
                                        read_qwen2_vl_rules(request.config, vision.merge_size),
                                        MultimodalLm::Encoders{std::move(tower), nullptr});
}

}  // namespace sensorium
