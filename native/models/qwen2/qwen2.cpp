#include "models/qwen2/qwen2.h"

#include "models/causal_lm.h"
#include "models/family.h"

namespace sensorium {

TextConfig qwen2_text_defaults() {
  TextConfig config;
  config.vocab_size = 151936;
  config.hidden_size = 4096;
  config.intermediate_size = 22016;
  config.num_layers = 32;
  config.heads = {32, 32, 0};
  config.has_qkv_bias = true;
  config.sliding_window = 4096;
  return config;
}

std::unique_ptr<Model> load_qwen2(LoadRequest request) {
  const TextConfig config = read_text_config(request.config.section_over_this("text_config"), qwen2_text_defaults());
  TextDecoder decoder(config, request.loader);
  ModelInfo info = finish_info(std::move(request.info), config, request.loader);
  return std::make_unique<CausalLm>(std::move(decoder), std::move(info));
}

}  // namespace sensorium
