#pragma once

#include <cstdint>

#include "layers/encoder_block.h"

namespace sensorium {

/// Rows that the second convolution (stride 2) makes of `num_frames` mel frames.
inline int64_t convolved_length(int64_t num_frames) { return (num_frames - 1) / 2 + 1; }

/// Width of the two convolutions over time.
inline constexpr int64_t kWhisperKernelWidth = 3;

/// Whisper's positions, [length, width]: sines of all timescales, then cosines. `width` is even and at least 4.
Tensor make_sinusoids(int64_t length, int64_t width);

/// Sizes of one encoder layer.
struct WhisperBlockSize {
  int64_t hidden_size = 0;
  int64_t intermediate_size = 0;
  int64_t num_heads = 0;
  Activation activation = Activation::kGeluErf;
  bool has_key_bias = false;
};

/// Reads self_attn_layer_norm, self_attn.{q,k,v,out}_proj (k without bias in most), final_layer_norm, fc1 and fc2.
EncoderBlock load_whisper_block(WeightLoader loader, const WhisperBlockSize& size);

}  // namespace sensorium
