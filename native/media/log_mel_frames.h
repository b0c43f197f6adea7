#pragma once

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <utility>

#include "media/mel_plan.h"

// Included once by each kernel table, so that the same arithmetic is compiled for each instruction set. Names have internal
// linkage: no table can pick up another's code. Vectors are never passed by value: their calling convention depends on flags.
namespace sensorium {
namespace {

/// Frames of one vector register; kMelLanes is a multiple of it. Lanes do not mix, so its size does not change a result.
#if defined(__AVX512F__)
constexpr int32_t kVectorLanes = 16;
#elif defined(__AVX2__)
constexpr int32_t kVectorLanes = 8;
#else
constexpr int32_t kVectorLanes = 4;
#endif
using FloatLanes [[gnu::vector_size(kVectorLanes * sizeof(float)), gnu::may_alias]] = float;
using IntLanes [[gnu::vector_size(kVectorLanes * sizeof(int32_t)), gnu::may_alias]] = int32_t;

/// A complex number of each lane.
struct ComplexLanes {
  FloatLanes re, im;
};

inline void butterfly_2(const ComplexLanes* x, ComplexLanes* y) {
  y[0] = {x[0].re + x[1].re, x[0].im + x[1].im};
  y[1] = {x[0].re - x[1].re, x[0].im - x[1].im};
}

inline void butterfly_3(const ComplexLanes* x, ComplexLanes* y) {
  constexpr float sine = 0.86602540378443865F;
  const FloatLanes sum_re = x[1].re + x[2].re, sum_im = x[1].im + x[2].im;
  const FloatLanes diff_re = (x[1].re - x[2].re) * sine, diff_im = (x[1].im - x[2].im) * sine;
  const FloatLanes mid_re = x[0].re - 0.5F * sum_re, mid_im = x[0].im - 0.5F * sum_im;
  y[0] = {x[0].re + sum_re, x[0].im + sum_im};
  y[1] = {mid_re + diff_im, mid_im - diff_re};
  y[2] = {mid_re - diff_im, mid_im + diff_re};
}

inline void butterfly_4(const ComplexLanes* x, ComplexLanes* y) {
  const FloatLanes a_re = x[0].re + x[2].re, a_im = x[0].im + x[2].im;
  const FloatLanes b_re = x[0].re - x[2].re, b_im = x[0].im - x[2].im;
  const FloatLanes c_re = x[1].re + x[3].re, c_im = x[1].im + x[3].im;
  const FloatLanes d_re = x[1].re - x[3].re, d_im = x[1].im - x[3].im;
  y[0] = {a_re + c_re, a_im + c_im};
  y[1] = {b_re + d_im, b_im - d_re};
  y[2] = {a_re - c_re, a_im - c_im};
  y[3] = {b_re - d_im, b_im + d_re};
}

inline void butterfly_5(const ComplexLanes* x, ComplexLanes* y) {
  constexpr float cos1 = 0.30901699437494742F, cos2 = -0.80901699437494742F;
  constexpr float sin1 = 0.95105651629515357F, sin2 = 0.58778525229247313F;
  const FloatLanes s1_re = x[1].re + x[4].re, s1_im = x[1].im + x[4].im;
  const FloatLanes d1_re = x[1].re - x[4].re, d1_im = x[1].im - x[4].im;
  const FloatLanes s2_re = x[2].re + x[3].re, s2_im = x[2].im + x[3].im;
  const FloatLanes d2_re = x[2].re - x[3].re, d2_im = x[2].im - x[3].im;
  const FloatLanes a_re = x[0].re + cos1 * s1_re + cos2 * s2_re, a_im = x[0].im + cos1 * s1_im + cos2 * s2_im;
  const FloatLanes b_re = x[0].re + cos2 * s1_re + cos1 * s2_re, b_im = x[0].im + cos2 * s1_im + cos1 * s2_im;
  const FloatLanes c_re = sin1 * d1_re + sin2 * d2_re, c_im = sin1 * d1_im + sin2 * d2_im;
  const FloatLanes e_re = sin2 * d1_re - sin1 * d2_re, e_im = sin2 * d1_im - sin1 * d2_im;
  y[0] = {x[0].re + s1_re + s2_re, x[0].im + s1_im + s2_im};
  y[1] = {a_re + c_im, a_im - c_re};
  y[2] = {b_re + e_im, b_im - e_re};
  y[3] = {b_re - e_im, b_im + e_re};
  y[4] = {a_re - c_im, a_im + c_re};
}

template <int32_t radix>
inline void butterfly(const ComplexLanes* x, ComplexLanes* y) {
  if constexpr (radix == 2) butterfly_2(x, y);
  if constexpr (radix == 3) butterfly_3(x, y);
  if constexpr (radix == 4) butterfly_4(x, y);
  if constexpr (radix == 5) butterfly_5(x, y);
}

/// The last pass: one group, whose twiddles are all 1.
template <int32_t radix>
inline void last_fft_pass(const FftPass& pass, const ComplexLanes* in, ComplexLanes* out) {
  for (int32_t q = 0; q < pass.stride; ++q) {
    ComplexLanes x[radix], y[radix];
    for (int32_t k = 0; k < radix; ++k) x[k] = in[q + pass.stride * k];
    butterfly<radix>(x, y);
    for (int32_t r = 0; r < radix; ++r) out[q + pass.stride * r] = y[r];
  }
}

template <int32_t radix>
inline void fft_pass(const FftPass& pass, const Complex* twiddles, const ComplexLanes* in, ComplexLanes* out) {
  const int32_t num_groups = pass.length / radix;
  if (num_groups == 1) return last_fft_pass<radix>(pass, in, out);
  for (int32_t j = 0; j < num_groups; ++j) {
    const Complex* twiddle = twiddles + pass.first_twiddle + static_cast<size_t>(j) * (radix - 1);
    for (int32_t q = 0; q < pass.stride; ++q) {
      ComplexLanes x[radix], y[radix];
      for (int32_t k = 0; k < radix; ++k) x[k] = in[q + pass.stride * (j + num_groups * k)];
      butterfly<radix>(x, y);
      ComplexLanes* destination = out + q + pass.stride * radix * j;
      destination[0] = y[0];
      for (int32_t r = 1; r < radix; ++r) {
        const float re = twiddle[r - 1].re, im = twiddle[r - 1].im;
        destination[pass.stride * r] = {y[r].re * re - y[r].im * im, y[r].re * im + y[r].im * re};
      }
    }
  }
}

/// Stockham transform between two buffers; returns the one that holds the result.
inline ComplexLanes* fft(const MelPlan& plan, ComplexLanes* in, ComplexLanes* out) {
  for (const FftPass& pass : plan.passes) {
    if (pass.radix == 2) fft_pass<2>(pass, plan.twiddles.data(), in, out);
    if (pass.radix == 3) fft_pass<3>(pass, plan.twiddles.data(), in, out);
    if (pass.radix == 4) fft_pass<4>(pass, plan.twiddles.data(), in, out);
    if (pass.radix == 5) fft_pass<5>(pass, plan.twiddles.data(), in, out);
    std::swap(in, out);
  }
  return in;
}

/// a0 b0 a1 b1 ... of the lower halves of a and b into `low`, of the upper ones into `high`.
inline void interleave(const FloatLanes& a, const FloatLanes& b, FloatLanes& low, FloatLanes& high) {
#if defined(__AVX512F__)
  low = __builtin_shufflevector(a, b, 0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23);
  high = __builtin_shufflevector(a, b, 8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31);
#elif defined(__AVX2__)
  low = __builtin_shufflevector(a, b, 0, 8, 1, 9, 2, 10, 3, 11);
  high = __builtin_shufflevector(a, b, 4, 12, 5, 13, 6, 14, 7, 15);
#else
  low = __builtin_shufflevector(a, b, 0, 4, 1, 5);
  high = __builtin_shufflevector(a, b, 2, 6, 3, 7);
#endif
}

/// Transposes a square of values in place.
inline void transpose(FloatLanes* v) {
  FloatLanes w[kVectorLanes];
  for (int32_t size = 1; size < kVectorLanes; size *= 2) {
    for (int32_t i = 0; i < kVectorLanes / 2; ++i) interleave(v[i], v[i + kVectorLanes / 2], w[2 * i], w[2 * i + 1]);
    for (int32_t i = 0; i < kVectorLanes; ++i) v[i] = w[i];
  }
}

/// Even samples become real parts and odd ones imaginary parts, one frame a lane.
inline void load_windowed(const MelPlan& plan, const float* samples, ComplexLanes* out) {
  auto* vectors = reinterpret_cast<FloatLanes*>(out);
  int32_t i = 0;
  for (; i + kVectorLanes <= plan.n_fft; i += kVectorLanes) {
    FloatLanes square[kVectorLanes];
    for (int32_t lane = 0; lane < kVectorLanes; ++lane) {
      std::memcpy(&square[lane], samples + static_cast<size_t>(lane) * plan.hop_length + i, sizeof(FloatLanes));
    }
    transpose(square);
    for (int32_t j = 0; j < kVectorLanes; ++j) vectors[i + j] = square[j] * plan.window[i + j];
  }
  for (; i < plan.n_fft; ++i) {
    auto* values = reinterpret_cast<float*>(vectors + i);
    for (int32_t lane = 0; lane < kVectorLanes; ++lane) {
      values[lane] = samples[static_cast<size_t>(lane) * plan.hop_length + i] * plan.window[i];
    }
  }
}

/// Power of the real signal's bins from the transform of its packed halves. Bins k and n_fft / 2 - k come from the same two
/// points. The halves of the formula lie in the window.
inline void power_spectrum(const MelPlan& plan, const ComplexLanes* packed, FloatLanes* power) {
  const int32_t half = plan.n_fft / 2;
  for (int32_t k = 0; 2 * k <= half; ++k) {
    const ComplexLanes& z = packed[k];
    const ComplexLanes& mirrored = packed[k == 0 ? 0 : half - k];
    const FloatLanes even_re = z.re + mirrored.re, even_im = z.im - mirrored.im;
    const FloatLanes odd_re = z.im + mirrored.im, odd_im = mirrored.re - z.re;
    const float re = plan.unpack_twiddles[k].re, im = plan.unpack_twiddles[k].im;
    const FloatLanes turned_re = odd_re * re - odd_im * im, turned_im = odd_re * im + odd_im * re;
    const FloatLanes sum_re = even_re + turned_re, sum_im = even_im + turned_im;
    const FloatLanes diff_re = even_re - turned_re, diff_im = even_im - turned_im;
    power[half - k] = diff_re * diff_re + diff_im * diff_im;
    power[k] = sum_re * sum_re + sum_im * sum_im;
  }
}

/// x = log10(max(x, 1e-10)): exponent and a polynomial over mantissas in [sqrt(1/2), sqrt(2)).
inline void log10_in_place(FloatLanes& x) {
  constexpr float floor_value = 1e-10F, ln2 = 0.69314718055994531F, log10_e = 0.43429448190325183F;
  x = x > floor_value ? x : FloatLanes{} + floor_value;
  const IntLanes bits = reinterpret_cast<IntLanes&>(x);
  IntLanes exponent = (bits >> 23) - 126;
  const IntLanes mantissa_bits = (bits & 0x007fffff) | 0x3f000000;
  FloatLanes m = reinterpret_cast<const FloatLanes&>(mantissa_bits);  // [0.5, 1)
  const IntLanes is_low = m < 0.70710678118654752F;
  exponent += is_low;  // a true lane is -1
  m = (is_low ? m + m : m) - 1.0F;
  FloatLanes p = 7.0376836292e-2F * m - 1.1514610310e-1F;
  p = p * m + 1.1676998740e-1F;
  p = p * m - 1.2420140846e-1F;
  p = p * m + 1.4249322787e-1F;
  p = p * m - 1.6668057665e-1F;
  p = p * m + 2.0000714765e-1F;
  p = p * m - 2.4999993993e-1F;
  p = p * m + 3.3333331174e-1F;
  const FloatLanes square = m * m;
  const FloatLanes ln_mantissa = m - 0.5F * square + p * m * square;
  x = (ln_mantissa + __builtin_convertvector(exponent, FloatLanes) * ln2) * log10_e;
}

/// log_mel [kVectorLanes, num_bins]; maxima [kVectorLanes] over the bins.
inline void log_mel_of_power(const MelPlan& plan, const FloatLanes* power, float* log_mel, float* maxima) {
  const size_t num_bins = plan.filters.size();
  FloatLanes maximum = FloatLanes{} - 10.0F;
  for (size_t first = 0; first < num_bins; first += kVectorLanes) {
    const size_t count = std::min<size_t>(kVectorLanes, num_bins - first);
    FloatLanes square[kVectorLanes] = {};
    for (size_t bin = 0; bin < count; ++bin) {
      const MelFilter& filter = plan.filters[first + bin];
      const FloatLanes* in = power + filter.first_bin;
      FloatLanes sum{};
      for (const float weight : filter.weights) sum += weight * *in++;
      log10_in_place(sum);
      maximum = sum > maximum ? sum : maximum;
      square[bin] = sum;
    }
    transpose(square);
    for (int32_t lane = 0; lane < kVectorLanes; ++lane) {
      std::memcpy(log_mel + static_cast<size_t>(lane) * num_bins + first, &square[lane], count * sizeof(float));
    }
  }
  std::memcpy(maxima, &maximum, sizeof(maximum));
}

inline void log_mel_frames(const MelPlan& plan, const float* samples, float* scratch, float* log_mel, float* maxima) {
  for (int32_t lane = 0; lane < kMelLanes; lane += kVectorLanes) {
    auto* first = reinterpret_cast<ComplexLanes*>(scratch);
    ComplexLanes* second = first + plan.n_fft / 2;
    load_windowed(plan, samples + static_cast<size_t>(lane) * plan.hop_length, first);
    const ComplexLanes* spectrum = fft(plan, first, second);
    auto* power = reinterpret_cast<FloatLanes*>(spectrum == first ? second : first);
    power_spectrum(plan, spectrum, power);
    log_mel_of_power(plan, power, log_mel + static_cast<size_t>(lane) * plan.filters.size(), maxima + lane);
  }
}

}  // namespace
}  // namespace sensorium
