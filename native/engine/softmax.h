#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace sensorium {

/// exp(x) for x <= 0 within 3e-7 of its value; 0 below -87.
float exp_nonpositive(float x);

/// Largest value, and whether all are finite. [n], n >= 1.
struct Extremum {
  float maximum = 0.0F;
  bool is_finite = false;
};
Extremum find_maximum(std::span<const float> values);

/// First index of `value`; values.size() when absent.
int32_t find_first(std::span<const float> values, float value);

/// weights[i] = exp((values[i] - maximum) / temperature), returns their sum. Appends the sum of each stretch of
/// kSumStretch weights to `stretch_sums`, which is cleared first. `weights` has the size of `values`.
inline constexpr size_t kSumStretch = 1024;
double exp_weights(std::span<const float> values, float maximum, float temperature, std::span<float> weights,
                   std::vector<double>& stretch_sums);

/// A token and its value: a logit while selecting, a weight when drawing.
struct Candidate {
  int32_t token_id = 0;
  float value = 0.0F;
};

/// The `count` largest of `values`, best first, equal ones by token id; all when count >= size.
void select_top(std::span<const float> values, size_t count, std::vector<Candidate>& top);

}  // namespace sensorium
