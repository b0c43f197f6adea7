#pragma once

#include "backend/backend.h"

namespace sensorium::ops {

struct GridSize {
  int64_t height = 0, width = 0;
  int64_t num_cells() const { return height * width; }
};

/// Resizes a grid of rows: bilinear, half-pixel centres, no antialias (torch's interpolate). x [from cells, cols], y [to cells,
/// cols]. Throws kInvalidArgument when shapes do not agree.
void resize_grid(Backend& backend, ConstMatrix x, GridSize from, GridSize to, Matrix y);

}  // namespace sensorium::ops
