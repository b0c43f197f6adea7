#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace sensorium {

/// Band-limited polyphase resampling of mono samples (Kaiser-windowed sinc), ceil(n * to / from) samples out. Throws
/// kInvalidMedia on rates outside [1000, 384000], samples that are not finite, and more than 2^28 samples in or out.
std::vector<float> resample(std::span<const float> samples, int32_t from_rate, int32_t to_rate);

/// Mean of interleaved channels. Throws kInvalidMedia on a channel count outside [1, 64] or a number of samples that is no
/// multiple of it.
std::vector<float> mix_to_mono(std::span<const float> interleaved, int32_t num_channels);

}  // namespace sensorium
