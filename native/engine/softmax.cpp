#include "engine/softmax.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>

namespace sensorium {
namespace {

constexpr size_t kLanes = 16;

inline float exp_lane(float x) {
  // e^x = 2^n e^r with n = round(x / ln 2); adding 1.5 * 2^23 leaves the rounded number in the low mantissa bits.
  constexpr float kRound = 12582912.0F;
  const float clamped = x > -87.0F ? x : -87.0F;
  const float shifted = clamped * 1.44269504088896341F + kRound;
  const float n = shifted - kRound;
  const float r = (clamped - n * 0.693359375F) + n * 2.12194440e-4F;
  float p = 1.9875691500e-4F;
  p = p * r + 1.3981999507e-3F;
  p = p * r + 8.3334519073e-3F;
  p = p * r + 4.1665795894e-2F;
  p = p * r + 1.6666665459e-1F;
  p = p * r + 5.0000001201e-1F;
  p = p * r * r + r + 1.0F;
  const int32_t exponent = std::bit_cast<int32_t>(shifted) - std::bit_cast<int32_t>(kRound) + 127;
  const float result = p * std::bit_cast<float>(exponent << 23);
  return x > -87.0F ? result : 0.0F;
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

float exp_nonpositive(float x) { return exp_lane(x); }

Extremum find_maximum(std::span<const float> values) {
  float maxima[kLanes], poison[kLanes];
  std::fill_n(maxima, kLanes, -std::numeric_limits<float>::infinity());
  std::fill_n(poison, kLanes, 0.0F);
  size_t i = 0;
  for (; i + kLanes <= values.size(); i += kLanes) {
    for (size_t lane = 0; lane < kLanes; ++lane) {
      const float value = values[i + lane];
      maxima[lane] = value > maxima[lane] ? value : maxima[lane];
      poison[lane] += value * 0.0F;  // NaN as soon as a value is not finite
    }
  }
  for (; i < values.size(); ++i) {
    maxima[0] = values[i] > maxima[0] ? values[i] : maxima[0];
    poison[0] += values[i] * 0.0F;
  }
  Extremum result{maxima[0], true};
  for (size_t lane = 0; lane < kLanes; ++lane) {
    result.maximum = std::max(result.maximum, maxima[lane]);
    result.is_finite = result.is_finite && poison[lane] == 0.0F;
  }
  return result;
}

int32_t find_first(std::span<const float> values, float value) {
  return static_cast<int32_t>(std::find(values.begin(), values.end(), value) - values.begin());
}

double exp_weights(std::span<const float> values, float maximum, float temperature, std::span<float> weights,
                   std::vector<double>& stretch_sums) {
  stretch_sums.clear();
  double total = 0;
  for (size_t begin = 0; begin < values.size(); begin += kSumStretch) {
    const size_t end = std::min(values.size(), begin + kSumStretch);
    for (size_t i = begin; i < end; ++i) weights[i] = exp_lane((values[i] - maximum) / temperature);
    float sums[kLanes] = {};
    size_t i = begin;
    for (; i + kLanes <= end; i += kLanes) {
      for (size_t lane = 0; lane < kLanes; ++lane) sums[lane] += weights[i + lane];
    }
    for (; i < end; ++i) sums[0] += weights[i];
    double sum = 0;
    for (const float lane_sum : sums) sum += lane_sum;
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
    if (has_threshold && end - begin == kLanes) {
      bool is_any_above = false;
      for (size_t lane = 0; lane < kLanes; ++lane) is_any_above |= values[begin + lane] > threshold;
      if (!is_any_above) continue;
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
