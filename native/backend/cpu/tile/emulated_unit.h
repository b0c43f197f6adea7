#pragma once

#include <cstdint>
#include <cstring>

#include "backend/cpu/table.h"

#if defined(__x86_64__)
#include <xmmintrin.h>
#endif

namespace sensorium::tile {

/// A tile unit in vector instructions, equal to AMX to the bit: within one dot() the even and the odd products of each element
/// are two fused chains from zero, their sum is added to the element, and denormals count as zero. Tiles 0-3 hold sums (row
/// tile 0 or 1, column tile 0 or 1), 4 and 5 rows of the left operand, 6 and 7 pairs of rows of the right one. (A V without
/// fused multiply-add gives the same bits: a product of two bfloat16 is exact, unless it underflows.)
template <class V>
class EmulatedUnit {
 public:
  EmulatedUnit() = default;
  EmulatedUnit(const EmulatedUnit&) = delete;
  EmulatedUnit& operator=(const EmulatedUnit&) = delete;

  /// Rows of the first and of the second row tile.
  void configure(int64_t first_rows, int64_t second_rows) {
    const int64_t rows[8] = {first_rows, first_rows, second_rows, second_rows, first_rows, second_rows, kTileSize, kTileSize};
    std::memcpy(rows_, rows, sizeof(rows_));
  }
  template <int kTile>
  void zero() {
    std::memset(tiles_[kTile], 0, sizeof(tiles_[kTile]));
  }
  template <int kTile>
  void load(const void* from, int64_t stride_bytes) {
    for (int64_t r = 0; r < rows_[kTile]; ++r) {
      std::memcpy(tiles_[kTile] + r * kTileSize, static_cast<const char*>(from) + r * stride_bytes, kRowBytes);
    }
  }
  template <int kTile>
  void store(void* to, int64_t stride_bytes) const {
    for (int64_t r = 0; r < rows_[kTile]; ++r) {
      std::memcpy(static_cast<char*>(to) + r * stride_bytes, tiles_[kTile] + r * kTileSize, kRowBytes);
    }
  }
  template <int kSum, int kLeft, int kRight>
  void dot() {
    const DenormalGuard guard;
    for (int64_t r = 0; r < rows_[kSum]; ++r) {
      dot_row(tiles_[kSum] + r * kTileSize, tiles_[kLeft] + r * kTileSize, tiles_[kRight]);
    }
  }

 private:
  static constexpr size_t kRowBytes = 64;

  /// Counts denormals as zero while it lives.
  class DenormalGuard {
   public:
#if defined(__x86_64__)
    DenormalGuard() : control_(_mm_getcsr()) {
      constexpr unsigned kFlushToZero = 0x8000;
      constexpr unsigned kDenormalsAreZero = 0x40;
      _mm_setcsr(control_ | kFlushToZero | kDenormalsAreZero);
      asm volatile("" ::: "memory");
    }
    ~DenormalGuard() {
      asm volatile("" ::: "memory");
      _mm_setcsr(control_);
    }

   private:
    unsigned control_;
#endif
  };

  static float low(uint32_t pair) { return __builtin_bit_cast(float, pair << 16); }
  static float high(uint32_t pair) { return __builtin_bit_cast(float, pair & 0xffff0000U); }

  static void dot_row(uint32_t* sums, const uint32_t* left, const uint32_t* right) {
    constexpr int64_t kVectors = kTileSize / V::kLanes;
    typename V::Reg even[kVectors], odd[kVectors];
    for (int64_t v = 0; v < kVectors; ++v) even[v] = odd[v] = V::zero();
    for (int64_t p = 0; p < kTileSize; ++p) {
      const auto left_even = V::broadcast(low(left[p]));
      const auto left_odd = V::broadcast(high(left[p]));
      for (int64_t v = 0; v < kVectors; ++v) {
        const uint32_t* pairs = right + p * kTileSize + v * V::kLanes;
        even[v] = V::fma(left_even, V::widen_low(pairs), even[v]);
        odd[v] = V::fma(left_odd, V::widen_high(pairs), odd[v]);
      }
    }
    for (int64_t v = 0; v < kVectors; ++v) {
      float* sum = reinterpret_cast<float*>(sums + v * V::kLanes);
      V::store(sum, V::add(V::load(sum), V::add(even[v], odd[v])));
    }
  }

  alignas(64) uint32_t tiles_[8][kTileSize * kTileSize];
  int64_t rows_[8] = {};
};

}  // namespace sensorium::tile
