#include "engine/softmax.h"

#include <algorithm>
#include <bit>
#include <cstring>
#include <limits>

namespace sensorium {
namespace {

// Vectors of the compilers' own (GCC, Clang): SSE, NEON or plain code. The optimizer alone keeps loops with comparisons
// of floats scalar, because such a comparison may trap.
using Float4 = float __attribute__((vector_size(16)));
using Int4 = int32_t __attribute__((vector_size(16)));
constexpr size_t kWidth = 4;   ///< of a vector
constexpr size_t kLanes = 16;  ///< of a loop's turn

Float4 load(const float* values) {
  Float4 vector;
  std::memcpy(&vector, values, sizeof(vector));
  return vector;
}

Float4 splat(float value) { return Float4{value, value, value, value}; }

/// Whether comparison with `value` holds for any of 16 values.
template <typename Compare>
bool is_any(const float* values, float value, Compare compare) {
  Int4 found{};
  for (size_t i = 0; i < kLanes; i += kWidth) found |= compare(load(values + i), splat(value));
  return (found[0] | found[1] | found[2] | found[3]) != 0;
}

Float4 exp_vector(Float4 x) {
  // e^x = 2^n e^r with n = round(x / ln 2); adding 1.5 * 2^23 leaves the rounded number in the low mantissa bits.
  constexpr float kRound = 12582912.0F;
  const Int4 is_in_range = x > -87.0F;
  const Float4 clamped = is_in_range ? x : splat(-87.0F);
  const Float4 shifted = clamped * 1.44269504088896341F + kRound;
  const Float4 n = shifted - kRound;
  const Float4 r = (clamped - n * 0.693359375F) + n * 2.12194440e-4F;
  Float4 p = r * 1.9875691500e-4F + 1.3981999507e-3F;
  p = p * r + 8.3334519073e-3F;
  p = p * r + 4.1665795894e-2F;
  p = p * r + 1.6666665459e-1F;
  p = p * r + 5.0000001201e-1F;
  p = p * r * r + r + 1.0F;
  const Int4 exponent = std::bit_cast<Int4>(shifted) - std::bit_cast<int32_t>(kRound) + 127;
  return is_in_range ? p * std::bit_cast<Float4>(exponent << 23) : splat(0.0F);
}

bool is_better(const Candidate& a, const Candidate& b) {
  return a.value > b.value || (a.value == b.value && a.token_id < b.token_id);
}

void keep_best(std::vector<Candidate>& candidates, size_t count) {
  if (candidates.size() <= count) return;
  std::nth_element(candidates.begin(), candidates.begin() + static_cast<std::ptrdiff_t>(count) - 1, candidates.end(),
                   is_better);
  candidates.resize(count);
}

}  // namespace

float exp_nonpositive(float x) { return exp_vector(splat(x))[0]; }

Extremum find_maximum(std::span<const float> values) {
  Float4 maxima[kWidth], poison[kWidth];
  std::fill_n(maxima, kWidth, splat(-std::numeric_limits<float>::infinity()));
  std::fill_n(poison, kWidth, splat(0.0F));
  size_t i = 0;
  for (; i + kLanes <= values.size(); i += kLanes) {
    for (size_t part = 0; part < kWidth; ++part) {
      const Float4 value = load(values.data() + i + part * kWidth);
      maxima[part] = value > maxima[part] ? value : maxima[part];
      poison[part] += value * 0.0F;  // NaN as soon as a value is not finite
    }
  }
  for (; i < values.size(); ++i) {
    maxima[0][0] = values[i] > maxima[0][0] ? values[i] : maxima[0][0];
    poison[0][0] += values[i] * 0.0F;
  }
  Extremum result{maxima[0][0], true};
  for (size_t lane = 0; lane < kLanes; ++lane) {
    result.maximum = std::max(result.maximum, maxima[lane / kWidth][lane % kWidth]);
    result.is_finite = result.is_finite && poison[lane / kWidth][lane % kWidth] == 0.0F;
  }
  return result;
}

int32_t find_first(std::span<const float> values, float value) {
  size_t i = 0;
  while (i + kLanes <= values.size() && !is_any(values.data() + i, value, [](Float4 a, Float4 b) -> Int4 { return a == b; })) {
    i += kLanes;
  }
  while (i < values.size() && values[i] != value) ++i;
  return static_cast<int32_t>(i);
}

double exp_weights(std::span<const float> values, float maximum, float temperature, std::span<float> weights,
                   std::vector<double>& stretch_sums) {
  stretch_sums.clear();
  double total = 0;
  for (size_t begin = 0; begin < values.size(); begin += kSumStretch) {
    const size_t end = std::min(values.size(), begin + kSumStretch);
    Float4 sums[kWidth] = {};
    size_t i = begin;
    for (; i + kWidth <= end; i += kWidth) {
      const Float4 weight = exp_vector((load(values.data() + i) - maximum) / temperature);
      std::memcpy(weights.data() + i, &weight, sizeof(weight));
      sums[i / kWidth % kWidth] += weight;
    }
    for (; i < end; ++i) {
      weights[i] = exp_nonpositive((values[i] - maximum) / temperature);
      sums[0][0] += weights[i];
    }
    double sum = 0;
    for (size_t lane = 0; lane < kLanes; ++lane) sum += sums[lane / kWidth][lane % kWidth];
    stretch_sums.push_back(sum);
    total += sum;
  }
  return total;
}

void select_top(std::span<const float> values, size_t count, std::vector<Candidate>& top) {
  top.clear();
  count = std::min(count, values.size());
  if (count == 0) return;
  const size_t capacity = 2 * count + 256;
  float threshold = -std::numeric_limits<float>::infinity();
  bool has_threshold = false;
  for (size_t begin = 0; begin < values.size(); begin += kLanes) {
    const size_t end = std::min(values.size(), begin + kLanes);
    const bool is_whole = end - begin == kLanes;
    if (has_threshold && is_whole &&
        !is_any(values.data() + begin, threshold, [](Float4 a, Float4 b) -> Int4 { return a > b; })) {
      continue;
    }
    for (size_t i = begin; i < end; ++i) {
      // An equal value with a higher id loses against the `count` ones that are kept.
      if (!has_threshold || values[i] > threshold) top.push_back({static_cast<int32_t>(i), values[i]});
    }
    if (top.size() < capacity) continue;
    keep_best(top, count);
    threshold = top.back().value;
    has_threshold = true;
  }
  keep_best(top, count);
  std::sort(top.begin(), top.end(), is_better);
}

}  // namespace sensorium
