#pragma once

#include <cstdint>

#include "backend/backend.h"
#include "core/tensor.h"

namespace sensorium {

/// The row ops of one instruction set. Each works single-threaded on the rows of its views (split with row_range()), and
/// yields for each row what it would yield were the row alone. x and y may be the same matrix, not partly overlapping ones.
struct RowKernels {
  /// y = x / sqrt(mean(x²) + eps) * weight; weight [cols].
  void (*rms_norm)(ConstMatrix x, const float* weight, float eps, Matrix y);
  /// y = (x - mean) / sqrt(var + eps) * weight + bias; weight, bias [cols].
  void (*layer_norm)(ConstMatrix x, const float* weight, const float* bias, float eps, Matrix y);
  /// y = activation(x).
  void (*activate)(ConstMatrix x, Activation activation, Matrix y);
  /// y += x.
  void (*add)(ConstMatrix x, Matrix y);
  /// Rotate-half RoPE in place: x [rows, num_heads * head_dim]; cos, sin [rows, rotary_dim / 2].
  void (*rope)(Matrix x, int64_t num_heads, int64_t head_dim, ConstMatrix cos, ConstMatrix sin);

  // --- single rows of `count` elements; an element's result does not depend on its index
  /// y = activation(x); x and y may be the same.
  void (*activate_row)(const float* x, int64_t count, Activation activation, float* y);
  /// y = activation(gate) * up; y may be gate or up.
  void (*gate_row)(const float* gate, const float* up, int64_t count, Activation activation, float* y);
  /// y = exp(x - shift), returns the sum of y; x and y may be the same.
  float (*exp_row)(const float* x, int64_t count, float shift, float* y);
};

/// Plain C++: the oracle of the others.
const RowKernels& generic_row_kernels();
#if defined(__x86_64__)
const RowKernels& avx2_row_kernels();    ///< needs AVX2 and FMA
const RowKernels& avx512_row_kernels();  ///< needs AVX-512 F, BW, DQ, VL
#endif

}  // namespace sensorium
