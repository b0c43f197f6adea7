#pragma once

#include <cstdint>
#include <vector>

#include "media/resize.h"

namespace sensorium {

/// Bits after the point of a resize weight.
inline constexpr int kResizeWeightBits = 22;
/// A weight is high * 2^kResizeLowBits + low, both in int16, so that 16-bit multiply-add instructions stay exact.
inline constexpr int kResizeLowBits = 11;

/// One axis of an antialiased resize: which input positions an output position sums and with which fixed-point weights.
struct ResizeAxis {
  int32_t in_size = 0;
  int32_t out_size = 0;
  int32_t max_taps = 0;
  std::vector<int32_t> starts;      ///< [out_size] first input position
  std::vector<int32_t> num_taps;    ///< [out_size]
  std::vector<int32_t> weights;     ///< [out_size, max_taps]
  int32_t max_pairs = 0;            ///< ceil(max_taps / 2)
  std::vector<int32_t> high_pairs;  ///< [out_size, max_pairs]: high parts of taps 2p (low half) and 2p + 1
  std::vector<int32_t> low_pairs;   ///< [out_size, max_pairs]: low parts, likewise
};

/// The coefficients of Pillow's ImagingResample: computed in double, normalised, rounded away from zero.
ResizeAxis make_resize_axis(int32_t in_size, int32_t out_size, ResizeFilter filter);

}  // namespace sensorium
