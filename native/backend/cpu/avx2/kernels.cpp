#include <immintrin.h>

#include "backend/cpu/rows.h"
#include "backend/cpu/simd/make_table.h"
#include "backend/cpu/table.h"

namespace sensorium {
namespace {

/// Eight floats.
struct Vec {
  using Reg = __m256;
  static constexpr int kLanes = 8;
  static constexpr int kTileRows = 6;

  static const RowKernels& row_kernels() { return avx2_row_kernels(); }
  static Reg zero() { return _mm256_setzero_ps(); }
  static Reg broadcast(float value) { return _mm256_set1_ps(value); }
  static Reg load(const float* from) { return _mm256_loadu_ps(from); }
  static void store(float* to, Reg value) { _mm256_storeu_ps(to, value); }
  static Reg widen_low(const uint32_t* panel) { return _mm256_castsi256_ps(_mm256_slli_epi32(load_bits(panel), 16)); }
  static Reg widen_high(const uint32_t* panel) {
    return _mm256_castsi256_ps(_mm256_and_si256(load_bits(panel), _mm256_set1_epi32(static_cast<int>(0xffff0000U))));
  }
  static Reg add(Reg a, Reg b) { return _mm256_add_ps(a, b); }
  static Reg mul(Reg a, Reg b) { return _mm256_mul_ps(a, b); }
  static Reg fma(Reg a, Reg b, Reg c) { return _mm256_fmadd_ps(a, b, c); }
  static Reg max(Reg a, Reg b) { return _mm256_max_ps(a, b); }
  static float reduce_max(Reg a) {
    __m128 x = _mm_max_ps(_mm256_castps256_ps128(a), _mm256_extractf128_ps(a, 1));
    x = _mm_max_ps(x, _mm_movehl_ps(x, x));
    return _mm_cvtss_f32(_mm_max_ss(x, _mm_movehdup_ps(x)));
  }
  static float reduce_add(Reg a) {
    __m128 x = _mm_add_ps(_mm256_castps256_ps128(a), _mm256_extractf128_ps(a, 1));
    x = _mm_add_ps(x, _mm_movehl_ps(x, x));
    return _mm_cvtss_f32(_mm_add_ss(x, _mm_movehdup_ps(x)));
  }

 private:
  static __m256i load_bits(const uint32_t* from) { return _mm256_loadu_si256(reinterpret_cast<const __m256i*>(from)); }
};

}  // namespace

const KernelTable& avx2_table() {
  static const KernelTable table = simd::make_table<Vec>("avx2");
  return table;
}

}  // namespace sensorium
