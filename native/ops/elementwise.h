#pragma once

#include "backend/backend.h"

namespace sensorium::ops {

// Each throws kInvalidArgument when shapes do not agree.

/// y += x; both [rows, cols].
void add(Backend& backend, ConstMatrix x, Matrix y);

/// y += alpha * x; both [rows, cols] (an expert's output weighed by its router).
void add_scaled(Backend& backend, ConstMatrix x, float alpha, Matrix y);

/// y = x; both [rows, cols].
void copy(Backend& backend, ConstMatrix x, Matrix y);

}  // namespace sensorium::ops
