#pragma once

#include <cstring>

#include "backend/cpu/simd/micro_kernel.h"

namespace sensorium::simd {

/// Panels that a row or two of x visit at once, for more than one chain in flight.
inline constexpr int64_t kThinPanels = 4;
/// How far ahead of their use the first rows ask for a panel's elements.
inline constexpr int64_t kAheadBytes = 16 * 1024;
/// Row counts up to this take several panels at once.
inline constexpr int64_t kThinRows = 2;

/// Copies rows of x into depth blocks [block][row][kDepthStride].
template <class V>
void pack_rows(ConstMatrix x, Range rows, float* packed) {
  for (int64_t k = 0; k < x.cols; k += kDepthBlock) {
    const int64_t depth = x.cols - k < kDepthBlock ? x.cols - k : kDepthBlock;
    for (int64_t r = rows.begin; r < rows.end; ++r, packed += kDepthStride) {
      std::memcpy(packed, x.row(r) + k, static_cast<size_t>(depth) * sizeof(float));
    }
  }
}

/// y = epilogue(sums + bias) of one unit; sums [panels of the unit][num_rows][kWidth] are overwritten.
template <class V, int64_t kWidth>
void store_unit(const LinearCall& call, Range rows, int64_t unit, float* sums) {
  const int64_t panels_of_unit = call.is_gated ? 2 : 1;
  if (call.bias != nullptr) {
    for (int64_t p = 0; p < panels_of_unit; ++p) {
      const float* bias = call.bias + (unit * panels_of_unit + p) * kWidth;
      for (int64_t r = 0; r < rows.size(); ++r) {
        float* row = sums + (p * rows.size() + r) * kWidth;
        for (int64_t c = 0; c < kWidth; c += V::kLanes) V::store(row + c, V::add(V::load(row + c), V::load(bias + c)));
      }
    }
  }
  const int64_t column = unit * kWidth;
  const int64_t count = call.num_columns - column < kWidth ? call.num_columns - column : kWidth;
  const Activation activation = call.epilogue.activation;
  for (int64_t r = 0; r < rows.size(); ++r) {
    float* row = sums + r * kWidth;
    float* y = call.y.row(rows.begin + r) + column;
    if (call.is_gated) {
      V::row_kernels().gate_row(row, row + rows.size() * kWidth, count, activation, row);
    } else if (activation != Activation::kNone) {
      V::row_kernels().activate_row(row, count, activation, row);
    }
    if (call.epilogue.residual.data != nullptr) {
      const float* residual = call.epilogue.residual.row(rows.begin + r) + column;
      for (int64_t c = 0; c < count; ++c) y[c] = row[c] + residual[c];
    } else {
      std::memcpy(y, row, static_cast<size_t>(count) * sizeof(float));
    }
  }
}

template <class V, class B>
void linear_panels(const LinearCall& call, Range rows, Range units, float* scratch) {
  constexpr int64_t kWidth = 2 * V::kLanes;
  constexpr int64_t kStep = step_size<V>(static_cast<const B*>(nullptr));
  constexpr auto kBytes = static_cast<int64_t>(sizeof(B));
  const int64_t num_rows = rows.size();
  const int64_t panels_of_unit = call.is_gated ? 2 : 1;
  const int64_t panel_stride = call.in_features * kStep;
  const B* panels = static_cast<const B*>(call.panels);
  const int64_t num_blocks = (call.in_features + kDepthBlock - 1) / kDepthBlock;
  float* packed = scratch;
  float* sums = scratch + num_blocks * num_rows * kDepthStride;
  if (num_rows > 1) pack_rows<V>(call.x, rows, packed);

  const int64_t end = units.end * panels_of_unit;
  for (int64_t panel = units.begin * panels_of_unit; panel < end;) {
    const int64_t wide = num_rows <= kThinRows ? kThinPanels : panels_of_unit;
    const int64_t count = end - panel < wide ? end - panel : wide;
    const B* b = panels + panel * panel_stride;
    const int64_t sums_stride = num_rows * kWidth;
    if (num_rows == 1 && count == kThinPanels) {
      micro_kernel<V, 1, kThinPanels, B>(call.x.row(rows.begin), b, panel_stride, call.in_features, sums, kWidth, sums_stride,
                                         true, 0);
    } else if (num_rows == 1) {
      for (int64_t p = 0; p < count; ++p) {
        micro_kernel<V, 1, 1, B>(call.x.row(rows.begin), b + p * panel_stride, 0, call.in_features, sums + p * sums_stride,
                                 kWidth, 0, true, 0);
      }
    } else {
      for (int64_t p = 0; p < count; ++p) {
        for (int64_t block = 0; block < num_blocks; ++block) {
          const int64_t k = block * kDepthBlock;
          const int64_t depth = call.in_features - k < kDepthBlock ? call.in_features - k : kDepthBlock;
          for (int64_t r = 0; r < num_rows;) {
            const int64_t height = next_tile<V>(num_rows - r);
            micro_kernel_of<V, B>(height)(packed + (block * num_rows + r) * kDepthStride, b + p * panel_stride + k * kStep, 0,
                                          depth, sums + p * sums_stride + r * kWidth, kWidth, 0, block == 0,
                                          r == 0 ? kAheadBytes / kBytes : 0);
            r += height;
          }
        }
      }
    }
    for (int64_t p = 0; p < count; p += panels_of_unit) {
      store_unit<V, kWidth>(call, rows, (panel + p) / panels_of_unit, sums + p * sums_stride);
    }
    panel += count;
  }
}

template <class V>
int64_t linear_scratch(const LinearCall& call, int64_t num_rows) {
  const int64_t num_blocks = (call.in_features + kDepthBlock - 1) / kDepthBlock;
  return num_blocks * num_rows * kDepthStride + kThinPanels * num_rows * 2 * V::kLanes;
}

template <class V>
void linear(const LinearCall& call, Range rows, Range units, float* scratch) {
  if (call.dtype == DType::kBFloat16) {
    linear_panels<V, uint32_t>(call, rows, units, scratch);
  } else {
    linear_panels<V, float>(call, rows, units, scratch);
  }
}

}  // namespace sensorium::simd
