#pragma once

#include <cstdint>

#include "backend/cpu/table.h"

namespace sensorium {
namespace {  // NOLINT(google-build-namespaces)

/// The CPU's tile unit. Tiles 0-3 hold sums (row tile 0 or 1, column tile 0 or 1), 4 and 5 rows of the left operand, 6 and 7
/// pairs of rows of the right one. Written as assembly because the header's macros take no template argument as a tile.
class AmxUnit {
 public:
  AmxUnit() = default;
  ~AmxUnit() {
    if (first_rows_ != 0) asm volatile("tilerelease");
  }
  AmxUnit(const AmxUnit&) = delete;
  AmxUnit& operator=(const AmxUnit&) = delete;

  /// Rows of the first and of the second row tile. Clears all tiles when they change.
  void configure(int64_t first_rows, int64_t second_rows) {
    if (first_rows == first_rows_ && second_rows == second_rows_) return;
    first_rows_ = first_rows;
    second_rows_ = second_rows;
    Config config;
    const auto first = static_cast<uint8_t>(first_rows);
    const auto second = static_cast<uint8_t>(second_rows);
    const uint8_t rows[8] = {first, first, second, second, first, second, kTileSize, kTileSize};
    for (int i = 0; i < 8; ++i) {
      config.rows[i] = rows[i];
      config.row_bytes[i] = 64;
    }
    asm volatile("ldtilecfg %0" ::"m"(config) : "memory");
  }
  template <int kTile>
  void zero() {
    asm volatile("tilezero %%tmm%c0" ::"i"(kTile));
  }
  template <int kTile>
  void load(const void* from, int64_t stride_bytes) {
    asm volatile("tileloadd (%0,%1,1), %%tmm%c2" ::"r"(from), "r"(stride_bytes), "i"(kTile) : "memory");
  }
  template <int kTile>
  void store(void* to, int64_t stride_bytes) const {
    asm volatile("tilestored %%tmm%c2, (%0,%1,1)" ::"r"(to), "r"(stride_bytes), "i"(kTile) : "memory");
  }
  template <int kSum, int kLeft, int kRight>
  void dot() {
    asm volatile("tdpbf16ps %%tmm%c2, %%tmm%c1, %%tmm%c0" ::"i"(kSum), "i"(kLeft), "i"(kRight));
  }

 private:
  struct alignas(64) Config {
    uint8_t palette = 1;
    uint8_t start_row = 0;
    uint8_t reserved[14] = {};
    uint16_t row_bytes[16] = {};
    uint8_t rows[16] = {};
  };

  int64_t first_rows_ = 0;
  int64_t second_rows_ = 0;
};

}  // namespace
}  // namespace sensorium
