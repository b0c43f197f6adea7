#pragma once

#if defined(__GNUC__) && !defined(__clang__)
// GCC 12 takes the undefined pass-through operands of its own AVX-512 header for uninitialised reads.
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"
#pragma GCC diagnostic ignored "-Wuninitialized"
#endif

#include <immintrin.h>

#include <cstdint>

#include "backend/cpu/simd/elementary.h"

// In an unnamed namespace, so that everything compiled from it stays private to files of this instruction set.
namespace sensorium {
namespace {  // NOLINT(google-build-namespaces)

/// Sixteen floats.
struct Avx512Math {
  using Reg = __m512;
  static constexpr int64_t kLanes = 16;

  static Reg zero() { return _mm512_setzero_ps(); }
  static Reg broadcast(float value) { return _mm512_set1_ps(value); }
  static Reg load(const float* from) { return _mm512_loadu_ps(from); }
  static void store(float* to, Reg a) { _mm512_storeu_ps(to, a); }
  // Of the first `count` lanes, 0 <= count <= kLanes; the others read as zero and are not touched in memory.
  static Reg load_first(const float* from, int64_t count) { return _mm512_maskz_loadu_ps(first(count), from); }
  static void store_first(float* to, Reg a, int64_t count) { _mm512_mask_storeu_ps(to, first(count), a); }
  static Reg keep_first(Reg a, int64_t count) { return _mm512_maskz_mov_ps(first(count), a); }

  static Reg add(Reg a, Reg b) { return _mm512_add_ps(a, b); }
  static Reg sub(Reg a, Reg b) { return _mm512_sub_ps(a, b); }
  static Reg mul(Reg a, Reg b) { return _mm512_mul_ps(a, b); }
  static Reg div(Reg a, Reg b) { return _mm512_div_ps(a, b); }
  static Reg fma(Reg a, Reg b, Reg c) { return _mm512_fmadd_ps(a, b, c); }    ///< a * b + c
  static Reg fnma(Reg a, Reg b, Reg c) { return _mm512_fnmadd_ps(a, b, c); }  ///< c - a * b
  // b when either is NaN.
  static Reg min(Reg a, Reg b) { return _mm512_min_ps(a, b); }
  static Reg max(Reg a, Reg b) { return _mm512_max_ps(a, b); }
  static Reg abs(Reg a) { return _mm512_abs_ps(a); }
  static Reg round(Reg a) { return _mm512_roundscale_ps(a, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC); }
  /// a * 2^n for whole n in [-150, 128].
  static Reg scale(Reg a, Reg n) { return _mm512_scalef_ps(a, n); }
  /// Lanes of a where x < 0, else of b.
  static Reg select_negative(Reg x, Reg a, Reg b) {
    return _mm512_mask_blend_ps(_mm512_cmp_ps_mask(x, _mm512_setzero_ps(), _CMP_LT_OQ), b, a);
  }
  /// Sum of the lanes, in a fixed order.
  static float sum(Reg a) { return _mm512_reduce_add_ps(a); }
  static float max_lane(Reg a) { return _mm512_reduce_max_ps(a); }

 private:
  static __mmask16 first(int64_t count) { return static_cast<__mmask16>((1U << count) - 1U); }
};

}  // namespace
}  // namespace sensorium
