#include "models/mistral/mistral.h"

#include "models/causal_lm.h"
#include "models/family.h"

namespace sensorium {

TextConfig mistral_text_defaults() {
  TextConfig config;
  config.vocab_size = 32000;
  config.hidden_size = 4096;
  config.intermediate_size = 14336;
  config.num_layers = 32;
  config.heads = {32, 8, 0};
  config.max_position_embeddings = 4096 * 32;
  config.has_sliding_window = true;
  config.sliding_window = 4096;
  config.first_sliding_layer = 0;
  return config;
}

std::unique_ptr<Model> load_mistral(LoadRequest request) {
  const TextConfig config = read_text_config(request.config.section_over_this("text_config"), mistral_text_defaults());
  TextDecoder decoder(config, request.loader);
  ModelInfo info = finish_info(std::move(request.info), config, request.loader);
  return std::make_unique<CausalLm>(std::move(decoder), std::move(info));
}

}  // namespace sensorium
