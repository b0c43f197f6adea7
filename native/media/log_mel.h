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
  /// With silence: 0, or the padded length in samples; then all its floor(padded_samples / hop) frames are returned, those
  /// of the silence too (Whisper's fixed 30 s window), and the padded end is reflected.
  int64_t padded_samples = 0;
  /// 0, or the most frames that are returned; the maximum is that of all of them.
  int64_t max_frames = 0;
};

/// Whisper's log-mel spectrogram, time-major [num_frames, num_mel_bins].
/// Throws kInvalidMedia on no samples (fewer than a hop without silence), more than 2^28, more than padded_samples, or values
/// that are not finite or above 1e6 in magnitude; kInvalidArgument on options out of range.
Tensor log_mel(std::span<const float> samples, const LogMelOptions& options);

}  // namespace sensorium
