#pragma once

#include "backend/cpu/avx2/vector_math.h"
#include "backend/cpu/rows.h"

namespace sensorium {
namespace {  // NOLINT(google-build-namespaces)

/// What the products and attention need beyond the elementary functions.
struct Avx2Vec : Avx2Math {
  static constexpr int kTileRows = 6;

  static const RowKernels& row_kernels() { return avx2_row_kernels(); }
  static Reg exp(Reg a) { return simd::exp<Avx2Math>(a); }
  static Reg load_bfloat16(const BFloat16* from) {
    const __m128i halves = _mm_loadu_si128(reinterpret_cast<const __m128i*>(from));
    return _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_cvtepu16_epi32(halves), 16));
  }
  /// Of the words of a bfloat16 panel: the low halves, the high halves.
  static Reg widen_low(const uint32_t* panel) { return _mm256_castsi256_ps(_mm256_slli_epi32(load_bits(panel), 16)); }
  static Reg widen_high(const uint32_t* panel) {
    return _mm256_castsi256_ps(_mm256_and_si256(load_bits(panel), _mm256_set1_epi32(static_cast<int>(0xffff0000U))));
  }

 private:
  static __m256i load_bits(const uint32_t* from) { return _mm256_loadu_si256(reinterpret_cast<const __m256i*>(from)); }
};

}  // namespace
}  // namespace sensorium
