#pragma once

#include <cmath>
#include <cstdint>

#include "backend/cpu/rows.h"
#include "backend/cpu/simd/elementary.h"

// The row kernels over a vector type V, compiled once in each instruction set's folder. The last lanes of a row go through the
// same vector arithmetic as all others, with a partial load and store.

namespace sensorium::simd {

/// Calls body(index, count) for each vector of a row; count < V::kLanes only for the last.
template <class V, class Body>
inline __attribute__((always_inline)) void for_each_vector(int64_t count, const Body& body) {
  int64_t i = 0;
  for (; i + V::kLanes <= count; i += V::kLanes) body(i, V::kLanes);
  if (i < count) body(i, count - i);
}

template <class V>
inline __attribute__((always_inline)) typename V::Reg load_part(const float* from, int64_t count) {
  return count == V::kLanes ? V::load(from) : V::load_first(from, count);
}

template <class V>
inline __attribute__((always_inline)) void store_part(float* to, typename V::Reg value, int64_t count) {
  if (count == V::kLanes) {
    V::store(to, value);
  } else {
    V::store_first(to, value, count);
  }
}

/// Sum over a row of term(value), where `term` maps the zeros behind the row's end to zero; four sums in flight.
template <class V, class Term>
inline __attribute__((always_inline)) float reduce(const float* x, int64_t count, const Term& term) {
  using Reg = typename V::Reg;
  Reg sums[4] = {V::zero(), V::zero(), V::zero(), V::zero()};
  int64_t i = 0;
  for (; i + 4 * V::kLanes <= count; i += 4 * V::kLanes) {
    for (int64_t k = 0; k < 4; ++k) sums[k] = V::add(sums[k], term(V::load(x + i + k * V::kLanes), V::kLanes));
  }
  for (; i < count; i += V::kLanes) {
    const int64_t part = count - i < V::kLanes ? count - i : V::kLanes;
    sums[0] = V::add(sums[0], term(load_part<V>(x + i, part), part));
  }
  return V::sum(V::add(V::add(sums[0], sums[1]), V::add(sums[2], sums[3])));
}

template <class V>
void rms_norm(ConstMatrix x, const float* weight, float eps, Matrix y) {
  using Reg = typename V::Reg;
  for (int64_t r = 0; r < x.rows; ++r) {
    const float* from = x.row(r);
    float* to = y.row(r);
    const float squares = reduce<V>(from, x.cols, [](Reg a, int64_t) { return V::mul(a, a); });
    const Reg scale = V::broadcast(1.0F / std::sqrt(squares / static_cast<float>(x.cols) + eps));
    for_each_vector<V>(x.cols, [&](int64_t i, int64_t part) {
      const Reg normal = V::mul(load_part<V>(from + i, part), scale);
      store_part<V>(to + i, V::mul(normal, load_part<V>(weight + i, part)), part);
    });
  }
}

template <class V>
void layer_norm(ConstMatrix x, const float* weight, const float* bias, float eps, Matrix y) {
  using Reg = typename V::Reg;
  const auto count = static_cast<float>(x.cols);
  for (int64_t r = 0; r < x.rows; ++r) {
    const float* from = x.row(r);
    float* to = y.row(r);
    const Reg mean = V::broadcast(reduce<V>(from, x.cols, [](Reg a, int64_t) { return a; }) / count);
    const float squares = reduce<V>(from, x.cols, [&](Reg a, int64_t part) {
      const Reg deviation = V::keep_first(V::sub(a, mean), part);
      return V::mul(deviation, deviation);
    });
    const Reg scale = V::broadcast(1.0F / std::sqrt(squares / count + eps));
    for_each_vector<V>(x.cols, [&](int64_t i, int64_t part) {
      const Reg normal = V::mul(V::sub(load_part<V>(from + i, part), mean), scale);
      store_part<V>(to + i, V::fma(normal, load_part<V>(weight + i, part), load_part<V>(bias + i, part)), part);
    });
  }
}

/// Calls body with the vector function of an activation.
template <class V, class Body>
inline void with_activation(Activation activation, const Body& body) {
  using Reg = typename V::Reg;
  switch (activation) {
    case Activation::kNone:
      return body([](Reg a) { return a; });
    case Activation::kSilu:
      return body([](Reg a) { return silu<V>(a); });
    case Activation::kGeluErf:
      return body([](Reg a) { return gelu_erf<V>(a); });
    case Activation::kGeluTanh:
      return body([](Reg a) { return gelu_tanh<V>(a); });
    case Activation::kQuickGelu:
      return body([](Reg a) { return quick_gelu<V>(a); });
  }
}

template <class V>
void activate_row(const float* x, int64_t count, Activation activation, float* y) {
  with_activation<V>(activation, [&](const auto& function) {
    for_each_vector<V>(count,
                       [&](int64_t i, int64_t part) { store_part<V>(y + i, function(load_part<V>(x + i, part)), part); });
  });
}

template <class V>
void activate(ConstMatrix x, Activation activation, Matrix y) {
  for (int64_t r = 0; r < x.rows; ++r) activate_row<V>(x.row(r), x.cols, activation, y.row(r));
}

template <class V>
void gate_row(const float* gate, const float* up, int64_t count, Activation activation, float* y) {
  with_activation<V>(activation, [&](const auto& function) {
    for_each_vector<V>(count, [&](int64_t i, int64_t part) {
      store_part<V>(y + i, V::mul(function(load_part<V>(gate + i, part)), load_part<V>(up + i, part)), part);
    });
  });
}

template <class V>
void add(ConstMatrix x, Matrix y) {
  for (int64_t r = 0; r < x.rows; ++r) {
    const float* from = x.row(r);
    float* to = y.row(r);
    for_each_vector<V>(x.cols, [&](int64_t i, int64_t part) {
      store_part<V>(to + i, V::add(load_part<V>(to + i, part), load_part<V>(from + i, part)), part);
    });
  }
}

template <class V>
void rope(Matrix x, int64_t num_heads, int64_t head_dim, ConstMatrix cos, ConstMatrix sin) {
  using Reg = typename V::Reg;
  const int64_t half = cos.cols;
  for (int64_t r = 0; r < x.rows; ++r) {
    for (int64_t h = 0; h < num_heads; ++h) {
      float* low = x.row(r) + h * head_dim;
      float* high = low + half;
      for_each_vector<V>(half, [&](int64_t i, int64_t part) {
        const Reg a = load_part<V>(low + i, part), b = load_part<V>(high + i, part);
        const Reg c = load_part<V>(cos.row(r) + i, part), s = load_part<V>(sin.row(r) + i, part);
        store_part<V>(low + i, V::fnma(b, s, V::mul(a, c)), part);
        store_part<V>(high + i, V::fma(a, s, V::mul(b, c)), part);
      });
    }
  }
}

template <class V>
float exp_row(const float* x, int64_t count, float shift, float* y) {
  using Reg = typename V::Reg;
  const Reg minus = V::broadcast(shift);
  Reg sum = V::zero();
  for_each_vector<V>(count, [&](int64_t i, int64_t part) {
    const Reg value = V::keep_first(exp<V>(V::sub(load_part<V>(x + i, part), minus)), part);
    store_part<V>(y + i, value, part);
    sum = V::add(sum, value);
  });
  return V::sum(sum);
}

template <class V>
inline constexpr RowKernels kRowKernels = {rms_norm<V>, layer_norm<V>,   activate<V>, add<V>,
                                           rope<V>,     activate_row<V>, gate_row<V>, exp_row<V>};

}  // namespace sensorium::simd
