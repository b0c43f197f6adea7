// GCC 12 takes the undefined pass-through operands of its own AVX-512 header for uninitialised reads.
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"

#include <immintrin.h>

#include "backend/cpu/rows.h"
#include "backend/cpu/simd/make_table.h"
#include "backend/cpu/table.h"

namespace sensorium {
namespace {

/// Sixteen floats.
struct Vec {
  using Reg = __m512;
  static constexpr int kLanes = 16;
  static constexpr int kTileRows = 12;

  static const RowKernels& row_kernels() { return avx512_row_kernels(); }
  static Reg zero() { return _mm512_setzero_ps(); }
  static Reg broadcast(float value) { return _mm512_set1_ps(value); }
  static Reg load(const float* from) { return _mm512_loadu_ps(from); }
  static void store(float* to, Reg value) { _mm512_storeu_ps(to, value); }
  static Reg widen_low(const uint32_t* panel) { return _mm512_castsi512_ps(_mm512_slli_epi32(_mm512_loadu_si512(panel), 16)); }
  static Reg widen_high(const uint32_t* panel) {
    return _mm512_castsi512_ps(_mm512_and_si512(_mm512_loadu_si512(panel), _mm512_set1_epi32(static_cast<int>(0xffff0000U))));
  }
  static Reg add(Reg a, Reg b) { return _mm512_add_ps(a, b); }
  static Reg mul(Reg a, Reg b) { return _mm512_mul_ps(a, b); }
  static Reg fma(Reg a, Reg b, Reg c) { return _mm512_fmadd_ps(a, b, c); }
  static Reg max(Reg a, Reg b) { return _mm512_max_ps(a, b); }
  static float reduce_max(Reg a) { return _mm512_reduce_max_ps(a); }
  static float reduce_add(Reg a) { return _mm512_reduce_add_ps(a); }
};

}  // namespace

const KernelTable& avx512_table() {
  static const KernelTable table = simd::make_table<Vec>("avx512");
  return table;
}

}  // namespace sensorium
