#include "models/audio/whisper_parts.h"

#include <cmath>

#include "models/audio/whisper_config.h"

namespace sensorium {

Tensor make_sinusoids(int64_t length, int64_t width) {
  Tensor table({length, width});
  const int64_t half = width / 2;
  const double log_step = std::log(10000.0) / static_cast<double>(half - 1);
  for (int64_t p = 0; p < length; ++p) {
    for (int64_t i = 0; i < half; ++i) {
      const float angle = static_cast<float>(p) * static_cast<float>(std::exp(-log_step * static_cast<double>(i)));
      table.data()[p * width + i] = std::sin(angle);
      table.data()[p * width + half + i] = std::cos(angle);
    }
  }
  return table;
}

EncoderBlock load_whisper_block(WeightLoader loader, const WhisperBlockSize& size) {
  const int64_t width = size.hidden_size;
  Norm attention_norm = Norm::layer(loader, "self_attn_layer_norm", width, kWhisperNormEps);
  Linear qkv = Linear::load(
      loader, width,
      {{"self_attn.q_proj", width, true}, {"self_attn.k_proj", width, size.has_key_bias}, {"self_attn.v_proj", width, true}});
  Linear attention_out = Linear::load(loader, width, {{"self_attn.out_proj", width, true}});
  Norm mlp_norm = Norm::layer(loader, "final_layer_norm", width, kWhisperNormEps);
  Linear up = Linear::load(loader, width, {{"fc1", size.intermediate_size, true}});
  Linear down = Linear::load(loader, size.intermediate_size, {{"fc2", width, true}});
  return EncoderBlock({std::move(attention_norm), std::move(qkv), std::move(attention_out), std::move(mlp_norm),
                       Mlp(std::move(up), std::move(down), size.activation), size.num_heads});
}

}  // namespace sensorium
