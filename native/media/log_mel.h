#pragma once

#include <cstdint>
#include <span>

#include "core/tensor.h"

namespace sensorium {

struct LogMelOptions {
  int32_t num_mel_bins = 128;
  int32_t sampling_rate = 16000;
  int32_t n_fft = 400;
  int32_t hop_length = 160;
  /// true: the sound is followed by silence (padding="max_length"): ceil(n / hop) valid frames.
  /// false: padding="longest" of one clip: floor(n / hop) frames, the end is reflected.
  bool is_padded_with_silence = true;
};

/// Whisper's log-mel spectrogram, time-major [num_frames, num_mel_bins].
/// Throws kInvalidMedia on no samples or non-finite ones.
Tensor log_mel(std::span<const float> samples, const LogMelOptions& options);

}  // namespace sensorium
