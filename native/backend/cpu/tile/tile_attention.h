#pragma once

#include "backend/cpu/simd/attention.h"
#include "backend/cpu/tile/tile_linear.h"

namespace sensorium::tile {

/// Keys of one online softmax step; the sums of a step's values are loaded and stored once.
inline constexpr int64_t kTileKeyGroup = 256;

static inline int64_t round_up(int64_t size, int64_t multiple) { return (size + multiple - 1) / multiple * multiple; }

/// Scratch of two row tiles.
template <class V>
struct TileAttentionState {
  float* scores;  ///< [32][kTileKeyGroup]
  float* sums;    ///< [32][padded head_dim]
  float* max;     ///< [32]
  float* total;   ///< [32]
  uint16_t* q;    ///< [2][depth tiles], scaled
  uint16_t* p;    ///< [2][kTileKeyGroup / kTileDepth]: probabilities
  int64_t size;   ///< floats of all

  TileAttentionState(float* scratch, int64_t head_dim) {
    constexpr int64_t kRows = 2 * kTileSize;
    simd::ScratchCarver<V> carver{scratch};
    scores = carver.take(kRows * kTileKeyGroup);
    sums = carver.take(kRows * round_up(head_dim, kTilePanelWidth));
    max = carver.take(kRows);
    total = carver.take(kRows);
    q = reinterpret_cast<uint16_t*>(carver.take(num_depth_tiles(head_dim) * kTileElements));  // two of half a float
    p = reinterpret_cast<uint16_t*>(carver.take(kRows * kTileKeyGroup / 2));
    size = carver.size;
  }
};

template <class V>
int64_t segment_scratch(int64_t head_dim) {
  return TileAttentionState<V>(nullptr, head_dim).size;
}

/// Keys: [groups of 32 keys][depth tiles][2 column tiles][pairs of dimensions][16 keys][2], in floats.
template <class V>
int64_t segment_keys_size(int64_t num_keys, int64_t head_dim) {
  return round_up(num_keys, kTilePanelWidth) * num_depth_tiles(head_dim) * kTileDepth / 2;
}

/// Values: [pairs of column tiles][depth tiles of keys][2 column tiles][pairs of keys][16 dimensions][2], in floats.
template <class V>
int64_t segment_values_size(int64_t num_keys, int64_t head_dim) {
  return round_up(num_keys, kTileDepth) * round_up(head_dim, kTilePanelWidth) / 2;
}

/// Words of a tile: pairs of bfloat16.
inline constexpr int64_t kTileWords = kTileElements / 2;

static inline uint32_t make_pair(float low, float high) {
  return round_bits(low) | static_cast<uint32_t>(round_bits(high)) << 16;
}

/// Keys become columns: column j % 16 of a tile holds pairs of dimensions of key j.
static inline void pack_keys(ConstMatrix k, uint32_t* tiles) {
  const int64_t depth_tiles = num_depth_tiles(k.cols);
  for (int64_t j = 0; j < round_up(k.rows, kTilePanelWidth); ++j) {
    const int64_t column_tile = j / kTilePanelWidth * depth_tiles * 2 + j % kTilePanelWidth / kTileSize;
    uint32_t* to = tiles + column_tile * kTileWords + j % kTileSize;
    const float* key = j < k.rows ? k.row(j) : nullptr;
    for (int64_t t = 0; t < depth_tiles; ++t, to += 2 * kTileWords) {
      uint16_t rounded[kTileDepth] = {};
      const int64_t left = key == nullptr ? 0 : k.cols - t * kTileDepth;
      const int64_t count = left < kTileDepth ? left : kTileDepth;
      for (int64_t i = 0; i < count; ++i) rounded[i] = round_bits(key[t * kTileDepth + i]);
      for (int64_t p = 0; p < kTileSize; ++p) std::memcpy(to + p * kTileSize, rounded + 2 * p, sizeof(uint32_t));
    }
  }
}

/// Values stay rows: row j / 2 % 16 of a tile holds pairs of keys j and j + 1.
static inline void pack_values(ConstMatrix v, uint32_t* tiles) {
  const int64_t depth_tiles = num_depth_tiles(v.rows);
  for (int64_t j = 0; j < depth_tiles * kTileDepth; j += 2) {
    const float* even = j < v.rows ? v.row(j) : nullptr;
    const float* odd = j + 1 < v.rows ? v.row(j + 1) : nullptr;
    for (int64_t d = 0; d < round_up(v.cols, kTilePanelWidth); d += kTileSize) {
      const int64_t tile = (d / kTilePanelWidth * depth_tiles + j / kTileDepth) * 2 + d % kTilePanelWidth / kTileSize;
      uint32_t* to = tiles + tile * kTileWords + j % kTileDepth / 2 * kTileSize;
      const int64_t left = v.cols - d;
      if (even != nullptr && odd != nullptr && left >= kTileSize) {
        for (int64_t c = 0; c < kTileSize; ++c) to[c] = make_pair(even[d + c], odd[d + c]);
      } else {
        for (int64_t c = 0; c < kTileSize; ++c) {
          to[c] = make_pair(even != nullptr && c < left ? even[d + c] : 0.0F, odd != nullptr && c < left ? odd[d + c] : 0.0F);
        }
      }
    }
  }
}

template <class V>
void pack_segment(ConstMatrix k, ConstMatrix v, float* keys, float* values) {
  pack_keys(k, reinterpret_cast<uint32_t*>(keys));
  pack_values(v, reinterpret_cast<uint32_t*>(values));
}

template <class V>
void begin_rows(const AttentionRows& call, Range rows, const TileAttentionState<V>& state) {
  const int64_t depth_tiles = num_depth_tiles(call.head_dim);
  for (int64_t r = 0; r < 2 * kTileSize; ++r) {
    float* scaled = state.scores;
    const int64_t i = rows.begin + r;
    const float* q = call.q + i / call.group_size * call.q_stride + i % call.group_size * call.head_dim;
    uint16_t* to = state.q + r / kTileSize * depth_tiles * kTileElements + r % kTileSize * kTileDepth;
    for (int64_t d = 0; d < depth_tiles * kTileDepth; d += kTileDepth) {
      for (int64_t c = 0; c < kTileDepth; ++c) scaled[c] = i < rows.end && d + c < call.head_dim ? q[d + c] * call.scale : 0.0F;
      pack_row(scaled, kTileDepth, to + d / kTileDepth * kTileElements);
    }
    state.max[r] = -__builtin_inff();
    state.total[r] = 0.0F;
  }
  std::memset(state.sums, 0, static_cast<size_t>(2 * kTileSize * round_up(call.head_dim, kTilePanelWidth)) * sizeof(float));
}

/// Two row tiles through one group of keys.
template <class Unit, class V>
void attend_group(Unit& unit, const TileAttentionState<V>& state, int64_t num_rows, int64_t head_dim, const uint16_t* keys,
                  const uint16_t* values, int64_t values_stride, int64_t num_keys) {
  const int64_t depth_tiles = num_depth_tiles(head_dim);
  const int64_t width = round_up(num_keys, kTilePanelWidth);
  const int64_t sums_size = round_up(head_dim, kTilePanelWidth);
  constexpr int64_t kRightStride = 2 * kTileElements;
  unit.configure(kTileSize, kTileSize);
  for (int64_t j = 0; j < width; j += kTilePanelWidth) {
    multiply<Unit, true, false>(unit, state.q, depth_tiles * kTileElements,
                                keys + j / kTilePanelWidth * depth_tiles * kRightStride, kRightStride, depth_tiles,
                                state.scores + j, kTileKeyGroup, true);
  }
  for (int64_t r = 0; r < 2 * kTileSize; ++r) {
    float* scores = state.scores + r * kTileKeyGroup;
    simd::softmax_row<V>(scores, r < num_rows ? num_keys : 0, width, sums_size, state.sums + r * sums_size, state.max + r,
                         state.total + r);
    pack_row(scores, width,
             state.p + r / kTileSize * (kTileKeyGroup / kTileDepth) * kTileElements + r % kTileSize * kTileDepth);
  }
  for (int64_t d = 0; d < sums_size; d += kTilePanelWidth) {
    multiply<Unit, true, false>(unit, state.p, kTileKeyGroup / kTileDepth * kTileElements,
                                values + d / kTilePanelWidth * values_stride, kRightStride, width / kTileDepth, state.sums + d,
                                sums_size, false);
  }
}

template <class Unit, class V>
void segment_attention(const AttentionRows& call, Range rows, const float* keys, const float* values, float* scratch) {
  const TileAttentionState<V> state(scratch, call.head_dim);
  const auto* key_tiles = reinterpret_cast<const uint16_t*>(keys);
  const auto* value_tiles = reinterpret_cast<const uint16_t*>(values);
  const int64_t values_stride = num_depth_tiles(call.num_keys) * 2 * kTileElements;
  Unit unit;
  for (int64_t first = rows.begin; first < rows.end; first += 2 * kTileSize) {
    const Range block = {first, rows.end - first < 2 * kTileSize ? rows.end : first + 2 * kTileSize};
    begin_rows<V>(call, block, state);
    for (int64_t key = 0; key < call.num_keys; key += kTileKeyGroup) {
      attend_group<Unit, V>(unit, state, block.size(), call.head_dim,
                            key_tiles + key / kTilePanelWidth * num_depth_tiles(call.head_dim) * 2 * kTileElements,
                            value_tiles + key / kTileDepth * 2 * kTileElements, values_stride,
                            call.num_keys - key < kTileKeyGroup ? call.num_keys - key : kTileKeyGroup);
    }
    const int64_t sums_size = round_up(call.head_dim, kTilePanelWidth);
    for (int64_t i = block.begin; i < block.end; ++i) {
      float* out = call.out + i / call.group_size * call.out_stride + i % call.group_size * call.head_dim;
      const float* sums = state.sums + (i - block.begin) * sums_size;
      const float inverse = 1.0F / state.total[i - block.begin];
      for (int64_t d = 0; d < call.head_dim; ++d) out[d] = sums[d] * inverse;
    }
  }
}

}  // namespace sensorium::tile
