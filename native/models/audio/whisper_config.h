#pragma once

#include <cstdint>

#include "models/config_section.h"

namespace sensorium {

/// Sizes of a Whisper encoder. A family fills in its class defaults, then read_whisper_config() what the file says.
struct WhisperConfig {
  int64_t num_mel_bins = 80;
  int64_t hidden_size = 384;
  int64_t num_layers = 4;
  int64_t num_heads = 6;
  int64_t intermediate_size = 1536;
  int64_t max_positions = 1500;  ///< rows of the longest window: half its mel frames
  Activation activation = Activation::kGeluErf;
};

/// Epsilon of every LayerNorm in Whisper's class.
inline constexpr float kWhisperNormEps = 1e-5F;

/// `section` with the class defaults `defaults`. Throws kInvalidCheckpoint on sizes that cannot be.
WhisperConfig read_whisper_config(const ConfigSection& section, WhisperConfig defaults);

}  // namespace sensorium
