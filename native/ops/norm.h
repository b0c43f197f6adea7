#pragma once

#include "backend/backend.h"

namespace sensorium::ops {

// Each throws kInvalidArgument, naming the operand, what was found and what was expected, when shapes do not agree.

/// y = x / sqrt(mean(x²) + eps) * weight; x, y [rows, hidden], weight [hidden]; x and y may be the same.
void rms_norm(Backend& backend, ConstMatrix x, const Tensor& weight, float eps, Matrix y);

/// RMSNorm of each head on its own, in place: x [rows, num_heads * head_dim], weight [head_dim].
void rms_norm_heads(Backend& backend, Matrix x, int64_t num_heads, const Tensor& weight, float eps);

/// y = (x - mean) / sqrt(var + eps) * weight + bias; x, y [rows, hidden], weight, bias [hidden]; x and y may be the same.
void layer_norm(Backend& backend, ConstMatrix x, const Tensor& weight, const Tensor& bias, float eps, Matrix y);

/// Scales each row to Euclidean length 1, in place; a row shorter than `eps` is divided by `eps`.
void l2_normalize(Backend& backend, Matrix x, float eps = 1e-12F);

/// Each column less its mean, by its standard deviation (of all rows); a column of equal values becomes zeros.
void standardize_columns(Backend& backend, Matrix x);

}  // namespace sensorium::ops
