#pragma once

#include <cstdint>

#include "backend/cpu/table.h"

// Algorithms over a vector type V, compiled once in each instruction set's folder. V lives in an unnamed namespace there, so
// every instance is private to its file and no wide instruction reaches shared code.

namespace sensorium::simd {

/// The cache that streams are brought to, in the numbering of __builtin_prefetch.
inline constexpr int kSecondLevel = 2;

/// One step of a panel: its two vectors at depth k.
template <class V>
struct PanelStep {
  typename V::Reg low;
  typename V::Reg high;
};

template <class V>
inline __attribute__((always_inline)) PanelStep<V> load_step(const float* panel) {
  return {V::load(panel), V::load(panel + V::kLanes)};
}

template <class V>
inline __attribute__((always_inline)) PanelStep<V> load_step(const uint32_t* panel) {
  return {V::widen_low(panel), V::widen_high(panel)};
}

/// Elements of storage between two steps of a panel.
template <class V>
constexpr int64_t step_size(const float*) {
  return 2 * V::kLanes;
}
template <class V>
constexpr int64_t step_size(const uint32_t*) {
  return V::kLanes;
}

/// c[p][r][0 .. 2 * lanes) (+)= sum over k of a[r][k] * panel[p][k], one fused chain in the order of k for each element, so
/// that it does not matter how rows and depth are cut. a has the row stride kDepthStride. Of a single panel the elements
/// `ahead` of those in use are brought to the second-level cache.
template <class V, int kRows, int kPanels, class B>
void micro_kernel(const float* a, const B* panel, int64_t panel_stride, int64_t depth, float* c, int64_t c_stride,
                  int64_t c_panel_stride, bool is_first, int64_t ahead) {
  using Reg = typename V::Reg;
  Reg low[kPanels][kRows], high[kPanels][kRows];
  for (int p = 0; p < kPanels; ++p) {
    for (int r = 0; r < kRows; ++r) {
      const float* from = c + p * c_panel_stride + r * c_stride;
      low[p][r] = is_first ? V::zero() : V::load(from);
      high[p][r] = is_first ? V::zero() : V::load(from + V::kLanes);
    }
  }
  constexpr int64_t kStep = step_size<V>(static_cast<const B*>(nullptr));
#pragma GCC unroll 4
  for (int64_t k = 0; k < depth; ++k) {
#pragma GCC unroll 8
    for (int p = 0; p < kPanels; ++p) {
      const B* const from = panel + p * panel_stride + k * kStep;
      if constexpr (kPanels == 1) __builtin_prefetch(from + ahead, 0, kSecondLevel);
      const PanelStep<V> b = load_step<V>(from);
#pragma GCC unroll 16
      for (int r = 0; r < kRows; ++r) {
        const Reg x = V::broadcast(a[r * kDepthStride + k]);
        low[p][r] = V::fma(x, b.low, low[p][r]);
        high[p][r] = V::fma(x, b.high, high[p][r]);
      }
    }
  }
  for (int p = 0; p < kPanels; ++p) {
    for (int r = 0; r < kRows; ++r) {
      float* to = c + p * c_panel_stride + r * c_stride;
      V::store(to, low[p][r]);
      V::store(to + V::kLanes, high[p][r]);
    }
  }
}

template <class B>
using MicroKernel = void (*)(const float* a, const B* panel, int64_t panel_stride, int64_t depth, float* c, int64_t c_stride,
                             int64_t c_panel_stride, bool is_first, int64_t ahead);

/// The micro kernel of one panel for a row count in [1, V::kTileRows].
template <class V, class B>
MicroKernel<B> micro_kernel_of(int64_t num_rows) {
  if constexpr (V::kTileRows == 12) {
    static constexpr MicroKernel<B> kKernels[] = {
        micro_kernel<V, 1, 1, B>, micro_kernel<V, 2, 1, B>,  micro_kernel<V, 3, 1, B>,  micro_kernel<V, 4, 1, B>,
        micro_kernel<V, 5, 1, B>, micro_kernel<V, 6, 1, B>,  micro_kernel<V, 7, 1, B>,  micro_kernel<V, 8, 1, B>,
        micro_kernel<V, 9, 1, B>, micro_kernel<V, 10, 1, B>, micro_kernel<V, 11, 1, B>, micro_kernel<V, 12, 1, B>};
    return kKernels[num_rows - 1];
  } else if constexpr (V::kTileRows == 6) {
    static constexpr MicroKernel<B> kKernels[] = {micro_kernel<V, 1, 1, B>, micro_kernel<V, 2, 1, B>, micro_kernel<V, 3, 1, B>,
                                                  micro_kernel<V, 4, 1, B>, micro_kernel<V, 5, 1, B>, micro_kernel<V, 6, 1, B>};
    return kKernels[num_rows - 1];
  } else {
    static_assert(V::kTileRows == 4);
    static constexpr MicroKernel<B> kKernels[] = {micro_kernel<V, 1, 1, B>, micro_kernel<V, 2, 1, B>, micro_kernel<V, 3, 1, B>,
                                                  micro_kernel<V, 4, 1, B>};
    return kKernels[num_rows - 1];
  }
}

/// Rows of the next tile when `num_rows` are left: tiles of nearly equal height.
template <class V>
inline int64_t next_tile(int64_t num_rows) {
  const int64_t num_tiles = (num_rows + V::kTileRows - 1) / V::kTileRows;
  return (num_rows + num_tiles - 1) / num_tiles;
}

}  // namespace sensorium::simd
