#pragma once

#include "backend/cpu/simd/linear.h"

// Algorithms over a tile unit (amx/tile_unit.h or emulated_unit.h) and a vector type for what surrounds it; compiled once a
// folder, like cpu/simd.

namespace sensorium::tile {

/// Depth tiles of a block: a panel's part of it stays in the first-level cache while all rows pass.
inline constexpr int64_t kDepthTiles = 16;
/// Tiles that a streaming product asks for ahead of their use.
inline constexpr int64_t kPrefetchTiles = 8;

/// Rounds to the nearest bfloat16, ties to even; NaN stays a quiet NaN.
static inline __attribute__((always_inline)) uint16_t round_bits(float value) {
  const auto bits = __builtin_bit_cast(uint32_t, value);
  const uint32_t rounded = (bits + 0x7fffU + ((bits >> 16) & 1U)) >> 16;
  const uint32_t quiet = (bits >> 16) | 0x40U;
  return static_cast<uint16_t>((bits & 0x7fffffffU) > 0x7f800000U ? quiet : rounded);
}

static inline int64_t num_depth_tiles(int64_t depth) { return (depth + kTileDepth - 1) / kTileDepth; }

/// Writes one row into its row of each depth tile: to[t * kTileElements ..] for t in [0, depth tiles).
static inline void pack_row(const float* row, int64_t depth, uint16_t* to) {
  for (int64_t k = 0; k < depth; k += kTileDepth, to += kTileElements) {
    if (depth - k >= kTileDepth) {
      for (int64_t i = 0; i < kTileDepth; ++i) to[i] = round_bits(row[k + i]);
    } else {
      for (int64_t i = 0; i < kTileDepth; ++i) to[i] = k + i < depth ? round_bits(row[k + i]) : uint16_t{0};
    }
  }
}

template <class V>
void pack_rows(ConstMatrix x, Range row_tiles, uint16_t* packed) {
  const int64_t depth_tiles = num_depth_tiles(x.cols);
  for (int64_t tile = row_tiles.begin; tile < row_tiles.end; ++tile) {
    for (int64_t r = 0; r < kTileSize; ++r) {
      uint16_t* to = packed + tile * depth_tiles * kTileElements + r * kTileDepth;
      const int64_t row = tile * kTileSize + r;
      if (row < x.rows) {
        pack_row(x.row(row), x.cols, to);
      } else {
        for (int64_t t = 0; t < depth_tiles; ++t) std::memset(to + t * kTileElements, 0, kTileDepth * sizeof(uint16_t));
      }
    }
  }
}

/// sums [rows][stride floats] (+)= left x right for one or two row tiles and two column tiles. Left tiles of the two row tiles
/// lie `left_stride` elements apart; right holds the two column tiles of each depth tile one behind the other.
template <class Unit, bool kTwoRows, bool kIsStreaming>
inline void multiply(Unit& unit, const uint16_t* left, int64_t left_stride, const uint16_t* right, int64_t right_stride,
                     int64_t depth_tiles, float* sums, int64_t stride, bool is_first) {
  constexpr int64_t kRowBytes = kTileDepth * sizeof(uint16_t);
  const int64_t stride_bytes = stride * static_cast<int64_t>(sizeof(float));
  float* second = sums + kTileSize * stride;
  if (is_first) {
    unit.template zero<0>();
    unit.template zero<1>();
    if constexpr (kTwoRows) unit.template zero<2>();
    if constexpr (kTwoRows) unit.template zero<3>();
  } else {
    unit.template load<0>(sums, stride_bytes);
    unit.template load<1>(sums + kTileSize, stride_bytes);
    if constexpr (kTwoRows) unit.template load<2>(second, stride_bytes);
    if constexpr (kTwoRows) unit.template load<3>(second + kTileSize, stride_bytes);
  }
  for (int64_t t = 0; t < depth_tiles; ++t, left += kTileElements, right += right_stride) {
    if constexpr (kIsStreaming) {
      const char* ahead = reinterpret_cast<const char*>(right + kPrefetchTiles * kTileElements);
      for (int64_t line = 0; line < 2 * kTileSize; ++line) __builtin_prefetch(ahead + line * 64, 0, simd::kSecondLevel);
    }
    unit.template load<4>(left, kRowBytes);
    unit.template load<6>(right, kRowBytes);
    unit.template dot<0, 4, 6>();
    unit.template load<7>(right + kTileElements, kRowBytes);
    unit.template dot<1, 4, 7>();
    if constexpr (kTwoRows) {
      unit.template load<5>(left + left_stride, kRowBytes);
      unit.template dot<2, 5, 6>();
      unit.template dot<3, 5, 7>();
    }
  }
  unit.template store<0>(sums, stride_bytes);
  unit.template store<1>(sums + kTileSize, stride_bytes);
  if constexpr (kTwoRows) unit.template store<2>(second, stride_bytes);
  if constexpr (kTwoRows) unit.template store<3>(second + kTileSize, stride_bytes);
}

/// Products on a tile unit.
template <class Unit>
class TileProduct {
 public:
  /// Few rows read each panel once from end to end; more keep a depth block of theirs in the second-level cache.
  static constexpr int64_t kMaxStreamingRows = 2 * kTileSize;
  /// Products that take several panels at once for a few rows say so, and are streaming for those.
  static constexpr int64_t kMaxThinRows = 0;

  /// All rows of a task times one panel's depth block: sums [rows][kTilePanelWidth] (+)= packed_x x right.
  void multiply_panel(const uint16_t* packed_x, Range rows, int64_t depth_tiles, int64_t block, const uint16_t* right,
                      float* sums);

 private:
  Unit unit_;
};

template <class Unit>
void TileProduct<Unit>::multiply_panel(const uint16_t* packed_x, Range rows, int64_t depth_tiles, int64_t block,
                                       const uint16_t* right, float* sums) {
  const int64_t first_tile = block * kDepthTiles;
  const int64_t count = depth_tiles - first_tile < kDepthTiles ? depth_tiles - first_tile : kDepthTiles;
  for (int64_t r = 0; r < rows.size(); r += 2 * kTileSize) {
    const int64_t left_rows = rows.size() - r;
    const uint16_t* left = packed_x + ((rows.begin + r) / kTileSize * depth_tiles + first_tile) * kTileElements;
    const int64_t left_stride = depth_tiles * kTileElements;
    float* to = sums + r * kTilePanelWidth;
    constexpr int64_t kRightStride = 2 * kTileElements;
    if (left_rows <= kTileSize) {
      unit_.configure(left_rows, kTileSize);
      multiply<Unit, false, true>(unit_, left, 0, right, kRightStride, count, to, kTilePanelWidth, block == 0);
    } else {
      unit_.configure(kTileSize, left_rows < 2 * kTileSize ? left_rows - kTileSize : kTileSize);
      if (r == 0) {
        multiply<Unit, true, true>(unit_, left, left_stride, right, kRightStride, count, to, kTilePanelWidth, block == 0);
      } else {
        multiply<Unit, true, false>(unit_, left, left_stride, right, kRightStride, count, to, kTilePanelWidth, block == 0);
      }
    }
  }
}

template <class Product, class V>
void linear(const LinearCall& call, const uint16_t* packed_x, Range rows, Range units, float* scratch) {
  const int64_t panels_of_unit = call.is_gated ? 2 : 1;
  const int64_t depth_tiles = num_depth_tiles(call.in_features);
  const int64_t num_blocks = (depth_tiles + kDepthTiles - 1) / kDepthTiles;
  const int64_t panel_stride = depth_tiles * 2 * kTileElements;
  const int64_t sums_stride = rows.size() * kTilePanelWidth;
  const int64_t num_panels = units.size() * panels_of_unit;
  const uint16_t* panels = static_cast<const uint16_t*>(call.panels) + units.begin * panels_of_unit * panel_stride;
  {
    Product product;
    const bool is_streaming = rows.size() <= Product::kMaxStreamingRows;
    const int64_t outer = is_streaming ? num_panels : num_blocks;
    const int64_t inner = is_streaming ? num_blocks : num_panels;
    int64_t first = 0;
    if constexpr (Product::kMaxThinRows > 0) {
      for (; rows.size() <= Product::kMaxThinRows && first + Product::kThinPanels <= num_panels;
           first += Product::kThinPanels) {
        product.multiply_thin(packed_x, rows, depth_tiles, panels + first * panel_stride, panel_stride,
                              scratch + first * sums_stride, sums_stride);
      }
    }
    for (int64_t i = is_streaming ? first : 0; i < outer; ++i) {
      for (int64_t j = 0; j < inner; ++j) {
        const int64_t panel = is_streaming ? i : j;
        const int64_t block = is_streaming ? j : i;
        product.multiply_panel(packed_x, rows, depth_tiles, block,
                               panels + panel * panel_stride + block * kDepthTiles * 2 * kTileElements,
                               scratch + panel * sums_stride);
      }
    }
  }
  for (int64_t u = 0; u < units.size(); ++u) {
    simd::store_unit<V, kTilePanelWidth>(call, rows, units.begin + u, scratch + u * panels_of_unit * sums_stride);
  }
}

template <class V>
int64_t linear_scratch(const LinearCall& call, int64_t num_rows, int64_t num_units) {
  return num_units * (call.is_gated ? 2 : 1) * num_rows * kTilePanelWidth;
}

}  // namespace sensorium::tile
