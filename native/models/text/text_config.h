#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "layers/rotary.h"
#include "models/config_section.h"
#include "models/text/moe_config.h"
#include "ops/attention.h"

namespace sensorium {

/// Sizes and choices of a decoder-only language model. A family fills in its class defaults, then read_text_config() what
/// the file says.
struct TextConfig {
  int64_t vocab_size = 0;
  int64_t hidden_size = 0;
  int64_t intermediate_size = 0;
  int64_t num_layers = 0;
  ops::HeadShape heads;  ///< head_dim 0: hidden_size / num_heads, where the file has none
  int64_t max_position_embeddings = 32768;
  float rms_norm_eps = 1e-6F;
  Activation activation = Activation::kSilu;
  bool has_qkv_bias = false;
  bool has_qk_norm = false;          ///< each head of q and k is normalised before it is rotated
  std::optional<MoeConfig> moe;      ///< absent: no layer has experts; families set it, read_text_config() reads over it
  int64_t num_deepstack_levels = 0;  ///< encoder rows bring as many further vectors, one added after each of the first layers
  bool has_attention_out_bias = false;
  bool has_mlp_bias = false;
  bool has_sliding_window = false;        ///< class default of use_sliding_window
  std::optional<int64_t> sliding_window;  ///< keys that a token of a sliding layer sees; absent: all
  int64_t first_sliding_layer = 28;       ///< class default of max_window_layers
  std::vector<int64_t> layer_windows;     ///< [num_layers], filled by read_text_config()
  bool is_tied = false;                   ///< the head is the embedding table; also when the checkpoint has no head
  RotaryConfig rotary;                    ///< theta and sections; the rest is filled by read_text_config()
};

/// Columns of an encoder row: what replaces the embedding, then the deepstack vectors.
inline int64_t embedding_width(const TextConfig& config) { return config.hidden_size * (1 + config.num_deepstack_levels); }

/// `section` with the class defaults `defaults`. Throws kInvalidCheckpoint on sizes that cannot be, kUnsupportedArchitecture on
/// unknown RoPE scalings and kinds of layers.
TextConfig read_text_config(const ConfigSection& section, TextConfig defaults);
/// Text config of a multimodal model: in `text_config`, or flat in `config` itself, whose tie_word_embeddings decides.
TextConfig read_composite_text_config(const ConfigSection& config, TextConfig defaults);

}  // namespace sensorium
