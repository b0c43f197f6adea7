#include <cmath>

#include "backend/cpu/rows.h"
#include "backend/cpu/simd/make_table.h"
#include "backend/cpu/tile/emulated_unit.h"
#include "backend/cpu/tile/make_tiles.h"

namespace sensorium {
namespace {

/// Four floats in the compiler's own vectors: SSE2, NEON or what the platform has; product and sum round apart.
struct Vec {
  using Reg = float __attribute__((vector_size(16)));
  using Bits = uint32_t __attribute__((vector_size(16)));
  static constexpr int64_t kLanes = 4;
  static constexpr int kTileRows = 4;

  static const RowKernels& row_kernels() { return generic_row_kernels(); }
  static Reg zero() { return Reg{}; }
  static Reg broadcast(float value) { return Reg{value, value, value, value}; }
  static Reg load(const float* from) {
    Reg value;
    __builtin_memcpy(&value, from, sizeof(value));
    return value;
  }
  static void store(float* to, Reg value) { __builtin_memcpy(to, &value, sizeof(value)); }
  static Reg load_bfloat16(const BFloat16* from) {
    const Bits bits = {from[0].bits, from[1].bits, from[2].bits, from[3].bits};
    return reinterpret_cast<Reg>(bits << 16);
  }
  static Reg widen_low(const uint32_t* panel) { return reinterpret_cast<Reg>(load_bits(panel) << 16); }
  static Reg widen_high(const uint32_t* panel) { return reinterpret_cast<Reg>(load_bits(panel) & 0xffff0000U); }
  static Reg exp(Reg a) { return Reg{std::exp(a[0]), std::exp(a[1]), std::exp(a[2]), std::exp(a[3])}; }
  static Reg add(Reg a, Reg b) { return a + b; }
  static Reg sub(Reg a, Reg b) { return a - b; }
  static Reg mul(Reg a, Reg b) { return a * b; }
  static Reg fma(Reg a, Reg b, Reg c) { return a * b + c; }
  static Reg max(Reg a, Reg b) { return a > b ? a : b; }
  static float max_lane(Reg a) {
    const float low = a[0] > a[2] ? a[0] : a[2];
    const float high = a[1] > a[3] ? a[1] : a[3];
    return low > high ? low : high;
  }
  static float sum(Reg a) { return (a[0] + a[2]) + (a[1] + a[3]); }

 private:
  static Bits load_bits(const uint32_t* from) {
    Bits value;
    __builtin_memcpy(&value, from, sizeof(value));
    return value;
  }
};

}  // namespace

const KernelTable& generic_table() {
  static const KernelTable table = simd::make_table<Vec>("generic");
  return table;
}

const TileKernels& generic_emulated_tiles() {
  static const TileKernels tiles = tile::make_tiles<tile::EmulatedUnit<Vec>, Vec>(TileUnit::kEmulated);
  return tiles;
}

}  // namespace sensorium
