#pragma once

// Elementary functions over a vector type V (avx2/vector_math.h, avx512/vector_math.h). A lane's result depends on that lane's
// input alone. Relative errors were measured against double precision over the whole finite range.

namespace sensorium::simd {

/// exp(x), error at most 2 ulp; 0 below -104, infinity above 88.73; NaN stays NaN.
template <class V>
inline __attribute__((always_inline)) typename V::Reg exp(typename V::Reg x) {
  using Reg = typename V::Reg;
  // Minimax polynomial of (exp(r) - 1 - r) / r² on |r| <= ln 2 / 2, error 3.1e-9.
  x = V::max(V::broadcast(-104.0F), V::min(V::broadcast(89.0F), x));
  const Reg n = V::round(V::mul(x, V::broadcast(1.44269504F)));
  Reg r = V::fnma(n, V::broadcast(0.693147182F), x);  // ln 2 in two parts
  r = V::fnma(n, V::broadcast(-1.90465430e-9F), r);
  Reg p = V::broadcast(0.00138145984F);
  p = V::fma(p, r, V::broadcast(0.0083687169F));
  p = V::fma(p, r, V::broadcast(0.0416683881F));
  p = V::fma(p, r, V::broadcast(0.166665206F));
  p = V::fma(p, r, V::broadcast(0.499999934F));
  p = V::fma(p, V::mul(r, r), r);
  return V::scale(V::add(p, V::broadcast(1.0F)), n);
}

/// x / (1 + exp(-slope)): x times the logistic function of `slope`.
template <class V>
inline __attribute__((always_inline)) typename V::Reg times_logistic(typename V::Reg x, typename V::Reg minus_slope) {
  return V::div(x, V::add(V::broadcast(1.0F), exp<V>(minus_slope)));
}

template <class V>
inline __attribute__((always_inline)) typename V::Reg silu(typename V::Reg x) {
  return times_logistic<V>(x, V::sub(V::zero(), x));
}

template <class V>
inline __attribute__((always_inline)) typename V::Reg quick_gelu(typename V::Reg x) {
  return times_logistic<V>(x, V::mul(x, V::broadcast(-1.702F)));
}

/// x / 2 * (1 + tanh(u)) = x / (1 + exp(-2u)), u = sqrt(2 / pi) * (x + 0.044715 x³).
template <class V>
inline __attribute__((always_inline)) typename V::Reg gelu_tanh(typename V::Reg x) {
  using Reg = typename V::Reg;
  const Reg slope = V::fma(V::mul(x, x), V::broadcast(-0.0713548163F), V::broadcast(-1.59576912F));
  return times_logistic<V>(x, V::mul(x, slope));
}

/// x * Φ(x), accurate in relative terms on both sides: the tail Φ(-|x|) = erfc(|x| / sqrt 2) / 2 is
/// exp(-x² / 2) * t * Q(t) / 2 with t = 1 / (1 + 0.35 |x| / sqrt 2), Q a minimax polynomial of error 7.2e-9.
template <class V>
inline __attribute__((always_inline)) typename V::Reg gelu_erf(typename V::Reg x) {
  using Reg = typename V::Reg;
  const Reg one = V::broadcast(1.0F);
  const Reg magnitude = V::min(V::broadcast(15.0F), V::abs(x));  // exp(-15² / 2) is 0 already
  const Reg t = V::div(one, V::fma(magnitude, V::broadcast(0.247487373F), one));
  Reg q = V::broadcast(0.0384010775F);
  q = V::fma(q, t, V::broadcast(-0.158928408F));
  q = V::fma(q, t, V::broadcast(0.181461487F));
  q = V::fma(q, t, V::broadcast(-0.027705961F));
  q = V::fma(q, t, V::broadcast(0.0870189793F));
  q = V::fma(q, t, V::broadcast(0.146042088F));
  q = V::fma(q, t, V::broadcast(0.151186213F));
  q = V::fma(q, t, V::broadcast(0.187902398F));
  q = V::fma(q, t, V::broadcast(0.197138355F));
  q = V::fma(q, t, V::broadcast(0.197483778F));
  const Reg half = V::mul(magnitude, V::broadcast(0.5F));
  const Reg square = V::mul(half, magnitude);
  const Reg square_error = V::sub(V::zero(), V::fnma(half, magnitude, square));  // x² / 2 - square, exactly
  const Reg decay = exp<V>(V::sub(V::zero(), square));
  const Reg tail = V::mul(V::mul(V::broadcast(0.5F), V::fnma(decay, square_error, decay)), V::mul(t, q));
  const Reg x_tail = V::mul(x, tail);
  return V::select_negative(x, x_tail, V::sub(x, x_tail));
}

}  // namespace sensorium::simd
