#pragma once

#include "backend/backend.h"

namespace sensorium::ops {

/// Widest window of median_filter().
inline constexpr int64_t kMaxMedianWidth = 63;

/// y[r][c] = median of x[r][c .. c + width): x [rows, cols + width - 1], y [rows, cols]. Throws kInvalidArgument on an even
/// width, one outside [1, kMaxMedianWidth], and shapes that do not agree.
void median_filter(Backend& backend, ConstMatrix x, int64_t width, Matrix y);

/// Fills the first and last `width` columns with the mirror image of what lies beside them; the outermost column in between is
/// not repeated. Throws kInvalidArgument unless more than `width` columns lie in between.
void mirror_edges(Backend& backend, Matrix x, int64_t width);

}  // namespace sensorium::ops
