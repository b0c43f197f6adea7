#pragma once

#include <cstdint>

#include "layers/rotary.h"
#include "models/config_section.h"
#include "ops/attention.h"

namespace sensorium {

/// Sizes and choices of a decoder-only language model. A family fills in its class defaults, then read_text_config() what
/// the file says.
struct TextConfig {
  int64_t vocab_size = 0;
  int64_t hidden_size = 0;
  int64_t intermediate_size = 0;
  int64_t num_layers = 0;
  ops::HeadShape heads;  ///< head_dim 0: hidden_size / num_heads
  int64_t max_position_embeddings = 32768;
  float rms_norm_eps = 1e-6F;
  Activation activation = Activation::kSilu;
  bool has_qkv_bias = false;
  bool is_tied = false;  ///< the head is the embedding table; also when the checkpoint has no head
  RotaryConfig rotary;   ///< theta; the rest is filled by read_text_config()
};

/// `section` with the class defaults `defaults`. Throws kInvalidCheckpoint on sizes that cannot be, kUnsupportedArchitecture on
/// sliding windows and unknown RoPE scalings.
TextConfig read_text_config(const ConfigSection& section, TextConfig defaults);
/// Text config of a multimodal model: in `text_config`, or flat in `config` itself, whose tie_word_embeddings decides.
TextConfig read_composite_text_config(const ConfigSection& config, TextConfig defaults);

}  // namespace sensorium
