#pragma once

#include "backend/cpu/avx512/vec.h"
#include "backend/cpu/table.h"
#include "backend/cpu/tile/tile_linear.h"

namespace sensorium {
namespace {  // NOLINT(google-build-namespaces)

/// Sixteen pairs of bfloat16.
inline __attribute__((always_inline)) __m512bh load_pairs(const uint16_t* from) {
  return reinterpret_cast<__m512bh>(_mm512_loadu_si512(from));
}
/// One pair in all lanes.
inline __attribute__((always_inline)) __m512bh broadcast_pair(const uint16_t* from) {
  int pair;
  __builtin_memcpy(&pair, from, sizeof(pair));
  return reinterpret_cast<__m512bh>(_mm512_set1_epi32(pair));
}

/// A tile unit made of BF16 dot instructions; the numbers of the tiles are those of AmxUnit. Operands are read where they lie.
class DotUnit {
 public:
  void configure(int64_t first_rows, int64_t second_rows) {
    const int64_t rows[4] = {first_rows, first_rows, second_rows, second_rows};
    for (int i = 0; i < 4; ++i) rows_[i] = rows[i];
  }
  template <int kTile>
  void zero() {
    for (int64_t r = 0; r < kTileSize; ++r) _mm512_store_ps(sums_[kTile] + r * kTileSize, _mm512_setzero_ps());
  }
  template <int kTile>
  void load(const void* from, int64_t stride_bytes) {
    if constexpr (kTile >= 4) {
      operands_[kTile - 4] = static_cast<const uint16_t*>(from);
    } else {
      for (int64_t r = 0; r < rows_[kTile]; ++r) {
        const void* row = static_cast<const char*>(from) + r * stride_bytes;
        _mm512_store_ps(sums_[kTile] + r * kTileSize, _mm512_loadu_ps(row));
      }
    }
  }
  template <int kTile>
  void store(void* to, int64_t stride_bytes) const {
    for (int64_t r = 0; r < rows_[kTile]; ++r) {
      _mm512_storeu_ps(static_cast<char*>(to) + r * stride_bytes, _mm512_load_ps(sums_[kTile] + r * kTileSize));
    }
  }
  template <int kSum, int kLeft, int kRight>
  void dot() {
    constexpr int64_t kRows = 8;
    for (int64_t first = 0; first < rows_[kSum]; first += kRows) {
      float* sums = sums_[kSum] + first * kTileSize;
      const uint16_t* left = operands_[kLeft - 4] + first * kTileDepth;
      const uint16_t* right = operands_[kRight - 4];
      __m512 sum[kRows];
#pragma GCC unroll 8
      for (int64_t r = 0; r < kRows; ++r) sum[r] = _mm512_load_ps(sums + r * kTileSize);
#pragma GCC unroll 4
      for (int64_t p = 0; p < kTileSize; ++p) {
        const __m512bh pairs = load_pairs(right + p * kTileDepth);
#pragma GCC unroll 8
        for (int64_t r = 0; r < kRows; ++r) {
          sum[r] = _mm512_dpbf16_ps(sum[r], broadcast_pair(left + r * kTileDepth + 2 * p), pairs);
        }
      }
#pragma GCC unroll 8
      for (int64_t r = 0; r < kRows; ++r) _mm512_store_ps(sums + r * kTileSize, sum[r]);
    }
  }

 private:
  alignas(64) float sums_[4][kTileSize * kTileSize];
  const uint16_t* operands_[4] = {};
  int64_t rows_[4] = {};
};

}  // namespace
}  // namespace sensorium
