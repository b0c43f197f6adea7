#include "models/audio/whisper_config.h"

namespace sensorium {
namespace {

/// Bounds the table of positions; the models' own is 1500.
constexpr int64_t kMaxPositions = int64_t{1} << 16;

}  // namespace

WhisperConfig read_whisper_config(const ConfigSection& section, WhisperConfig config) {
  config.num_mel_bins = section.count({"num_mel_bins"}, config.num_mel_bins, kMaxWidth);
  config.hidden_size = section.count({"d_model"}, config.hidden_size, kMaxWidth);
  config.num_layers = section.count({"encoder_layers"}, config.num_layers, kMaxLayers);
  config.num_heads = section.count({"encoder_attention_heads"}, config.num_heads, kMaxWidth);
  config.intermediate_size = section.count({"encoder_ffn_dim"}, config.intermediate_size, kMaxWidth);
  config.max_positions = section.count({"max_source_positions"}, config.max_positions, kMaxPositions);
  config.activation = section.activation({"activation_function"}, "gelu");
  if (config.hidden_size % config.num_heads != 0) section.fail("encoder_attention_heads", "does not divide d_model");
  if (config.hidden_size % 2 != 0 || config.hidden_size < 4) section.fail("d_model", "expected an even number of 4 or more");
  return config;
}

}  // namespace sensorium
