#pragma once

#include "backend/backend.h"

namespace sensorium::ops {

/// y = activation(x); x, y [rows, cols]; may be the same. Throws kInvalidArgument when shapes differ.
void activate(Backend& backend, ConstMatrix x, Activation activation, Matrix y);

/// Row-wise softmax; x, y [rows, cols], cols > 0; may be the same. Throws kInvalidArgument when shapes differ.
void softmax(Backend& backend, ConstMatrix x, Matrix y);

}  // namespace sensorium::ops
