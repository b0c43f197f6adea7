#pragma once

#include <span>

#include "backend/backend.h"

namespace sensorium {

/// Shape of slices stacked along rows.
struct StackedShape {
  int64_t out_features = 0;
  int64_t in_features = 0;
  bool has_bias = false;
};

/// Throws kInvalidArgument when slices are missing, no matrices, of no float dtype, or differ in in_features.
StackedShape check_slices(std::span<const WeightSlice> slices);

/// Reads row `row` of the stacked matrix as float32 into `to` [in_features].
void read_row(std::span<const WeightSlice> slices, int64_t row, float* to);

/// Bias of row `row` of the stacked matrix; 0 where its slice has none.
float read_bias(std::span<const WeightSlice> slices, int64_t row);

}  // namespace sensorium
