#pragma once

#include "backend/backend.h"

namespace sensorium::ops {

/// Mean of neighbouring rows (AvgPool1d(2, 2) over time): y[r] = (x[2r] + x[2r + 1]) / 2; x [rows, cols], y [rows / 2, cols];
/// an odd last row is dropped. Throws kInvalidArgument when shapes do not agree.
void avg_pool_pairs(Backend& backend, ConstMatrix x, Matrix y);

}  // namespace sensorium::ops
