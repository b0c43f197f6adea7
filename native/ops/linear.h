#pragma once

#include "backend/backend.h"

namespace sensorium::ops {

/// y = epilogue(x Wᵀ + bias); x [rows, in_features], y [rows, out_features] (out_features / 2 for a gated pair). x and y do not
/// overlap. Throws kInvalidArgument when shapes do not agree.
void linear(Backend& backend, const PackedMatrix& weight, ConstMatrix x, Matrix y, const Epilogue& epilogue = {});

}  // namespace sensorium::ops
