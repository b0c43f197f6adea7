#pragma once

#include "backend/cpu/avx512/vector_math.h"
#include "backend/cpu/rows.h"

namespace sensorium {
namespace {  // NOLINT(google-build-namespaces)

/// What the products and attention need beyond the elementary functions.
struct Avx512Vec : Avx512Math {
  static constexpr int kTileRows = 12;

  static const RowKernels& row_kernels() { return avx512_row_kernels(); }
  static Reg exp(Reg a) { return simd::exp<Avx512Math>(a); }
  static Reg load_bfloat16(const BFloat16* from) {
    const __m256i halves = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(from));
    return _mm512_castsi512_ps(_mm512_slli_epi32(_mm512_cvtepu16_epi32(halves), 16));
  }
  /// Of the words of a bfloat16 panel: the low halves, the high halves.
  static Reg widen_low(const uint32_t* panel) { return _mm512_castsi512_ps(_mm512_slli_epi32(_mm512_loadu_si512(panel), 16)); }
  static Reg widen_high(const uint32_t* panel) {
    return _mm512_castsi512_ps(_mm512_and_si512(_mm512_loadu_si512(panel), _mm512_set1_epi32(static_cast<int>(0xffff0000U))));
  }
};

}  // namespace
}  // namespace sensorium
