#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace sensorium {

/// Band-limited polyphase resampling of mono samples, ceil(n * to / from) samples out. Throws kInvalidMedia on rates outside
/// [1000, 384000].
std::vector<float> resample(std::span<const float> samples, int32_t from_rate, int32_t to_rate);

/// Mean of interleaved channels.
std::vector<float> mix_to_mono(std::span<const float> interleaved, int32_t num_channels);

}  // namespace sensorium
