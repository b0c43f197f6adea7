#pragma once

#include <cstdint>
#include <vector>

#include "core/tensor.h"

namespace sensorium::ops {

/// Dynamic time warping: of all paths from the first element to the last whose steps go one row on, one column on or both, the
/// one with the highest sum. Yields the first column that it visits in each row: [rows], ascending from 0. Throws
/// kInvalidArgument where there are no elements. Source of the order among equal paths: openai-whisper, timing.py.
std::vector<int32_t> time_warp(ConstMatrix gains);

}  // namespace sensorium::ops
