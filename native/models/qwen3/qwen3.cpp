#include "models/causal_lm.h"
#include "models/family.h"

namespace sensorium {
namespace {

/// Defaults of Hugging Face's Qwen3Config.
TextConfig dense_defaults() {
  TextConfig config;
  config.vocab_size = 151936;
  config.hidden_size = 4096;
  config.intermediate_size = 22016;
  config.num_layers = 32;
  config.heads = {32, 32, 128};
  config.has_qk_norm = true;
  config.sliding_window = 4096;
  return config;
}

/// Defaults of Hugging Face's Qwen3MoeConfig.
TextConfig moe_defaults() {
  TextConfig config;
  config.vocab_size = 151936;
  config.hidden_size = 2048;
  config.intermediate_size = 6144;
  config.num_layers = 24;
  config.heads = {32, 4, 0};
  config.has_qk_norm = true;
  config.sliding_window = 4096;
  config.first_sliding_layer = 0;
  config.moe = MoeConfig{};
  return config;
}

std::unique_ptr<Model> load(LoadRequest request, TextConfig defaults) {
  const TextConfig config = read_text_config(request.config.section_over_this("text_config"), std::move(defaults));
  TextDecoder decoder(config, request.loader);
  ModelInfo info = finish_info(std::move(request.info), config, request.loader);
  return std::make_unique<CausalLm>(std::move(decoder), std::move(info));
}

}  // namespace

std::unique_ptr<Model> load_qwen3(LoadRequest request) { return load(std::move(request), dense_defaults()); }

std::unique_ptr<Model> load_qwen3_moe(LoadRequest request) { return load(std::move(request), moe_defaults()); }

}  // namespace sensorium
