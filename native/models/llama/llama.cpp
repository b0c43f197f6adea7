#include "models/llama/llama.h"

#include "models/causal_lm.h"
#include "models/family.h"

namespace sensorium {

TextConfig llama_text_defaults() {
  TextConfig config;
  config.vocab_size = 32000;
  config.hidden_size = 4096;
  config.intermediate_size = 11008;
  config.num_layers = 32;
  config.heads = {32, kMaxWidth, 0};  // as many kv heads as heads
  config.max_position_embeddings = 2048;
  return config;
}

std::unique_ptr<Model> load_llama(LoadRequest request) {
  const TextConfig config = read_text_config(request.config.section_over_this("text_config"), llama_text_defaults());
  TextDecoder decoder(config, request.loader);
  ModelInfo info = finish_info(std::move(request.info), config, request.loader);
  return std::make_unique<CausalLm>(std::move(decoder), std::move(info));
}

}  // namespace sensorium
