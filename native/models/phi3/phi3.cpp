#include "models/phi3/phi3.h"

#include "models/causal_lm.h"
#include "models/family.h"

namespace sensorium {

TextConfig phi3_text_defaults() {
  TextConfig config;
  config.vocab_size = 32064;
  config.hidden_size = 3072;
  config.intermediate_size = 8192;
  config.num_layers = 32;
  config.heads = {32, kMaxWidth, 0};  // as many kv heads as heads
  config.max_position_embeddings = 4096;
  config.rms_norm_eps = 1e-5F;
  config.has_sliding_window = true;
  config.first_sliding_layer = 0;
  return config;
}

std::unique_ptr<Model> load_phi3(LoadRequest request) {
  const TextConfig config = read_text_config(request.config.section_over_this("text_config"), phi3_text_defaults());
  TextDecoder decoder(config, request.loader);
  ModelInfo info = finish_info(std::move(request.info), config, request.loader);
  return std::make_unique<CausalLm>(std::move(decoder), std::move(info));
}

}  // namespace sensorium
