#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace sensorium {

/// Frames that are transformed side by side, one a vector lane.
inline constexpr int32_t kMelLanes = 16;

/// One pass of a Stockham transform: butterflies of `radix` over `stride` interleaved transforms of `length` points.
struct FftPass {
  int32_t radix = 0;
  int32_t length = 0;
  int32_t stride = 0;
  size_t first_twiddle = 0;  ///< into MelPlan::twiddles: [length / radix, radix - 1]
};

struct Complex {
  float re = 0.0F, im = 0.0F;
};

/// A triangular filter: weights of spectrum bins from `first_bin` on.
struct MelFilter {
  int32_t first_bin = 0;
  std::vector<float> weights;
};

/// All tables of a log-mel spectrogram. The real transform of n_fft points is a complex one of half the length.
struct MelPlan {
  int32_t n_fft = 0;
  int32_t hop_length = 0;
  std::vector<float> window;  ///< [n_fft] half of a periodic Hann window
  std::vector<FftPass> passes;
  std::vector<Complex> twiddles;
  std::vector<Complex> unpack_twiddles;  ///< [n_fft / 2 + 1] exp(-2 pi i k / n_fft)
  std::vector<MelFilter> filters;        ///< [num_mel_bins] Slaney scale and norm, 0 Hz to sampling_rate / 2

  size_t num_scratch_floats() const { return static_cast<size_t>(2 * n_fft) * kMelLanes; }
};

/// Throws kInvalidArgument when n_fft is odd or n_fft / 2 has a prime factor above 5.
MelPlan make_mel_plan(int32_t num_mel_bins, int32_t sampling_rate, int32_t n_fft, int32_t hop_length);

}  // namespace sensorium
