#include "layers/rotary.h"

#include <algorithm>
#include <cmath>
#include <numbers>

namespace sensorium {
namespace {

std::vector<float> plain_frequencies(int64_t rotary_dim, double theta) {
  std::vector<float> frequencies(static_cast<size_t>(rotary_dim / 2));
  for (size_t i = 0; i < frequencies.size(); ++i) {
    const float exponent = static_cast<float>(2 * i) / static_cast<float>(rotary_dim);
    frequencies[i] = 1.0F / std::pow(static_cast<float>(theta), exponent);
  }
  return frequencies;
}

/// Long wavelengths are divided by the factor, short ones kept, those between blended.
void scale_llama3(const RotaryConfig& config, std::vector<float>& frequencies) {
  const double longest_kept = config.original_max_position / config.high_freq_factor;
  const double shortest_scaled = config.original_max_position / config.low_freq_factor;
  for (float& frequency : frequencies) {
    const double wavelength = 2.0 * std::numbers::pi / frequency;
    if (wavelength < longest_kept) continue;
    double keep = 0.0;
    if (wavelength <= shortest_scaled) {
      keep = (config.original_max_position / wavelength - config.low_freq_factor) /
             (config.high_freq_factor - config.low_freq_factor);
    }
    frequency = static_cast<float>((1.0 - keep) * frequency / config.factor + keep * frequency);
  }
}

/// Index of the frequency that turns `num_rotations` times within the original context.
double yarn_index(const RotaryConfig& config, double num_rotations) {
  return static_cast<double>(config.rotary_dim) *
         std::log(config.original_max_position / (num_rotations * 2.0 * std::numbers::pi)) / (2.0 * std::log(config.theta));
}

void scale_yarn(const RotaryConfig& config, std::vector<float>& frequencies) {
  const double low = std::max(std::floor(yarn_index(config, config.beta_fast)), 0.0);
  double high = std::min(std::ceil(yarn_index(config, config.beta_slow)), static_cast<double>(config.rotary_dim - 1));
  if (low == high) high += 0.001;  // keeps the ramp defined
  for (size_t i = 0; i < frequencies.size(); ++i) {
    const double interpolated = std::clamp((static_cast<double>(i) - low) / (high - low), 0.0, 1.0);
    frequencies[i] = static_cast<float>(frequencies[i] / config.factor * interpolated + frequencies[i] * (1.0 - interpolated));
  }
}

void scale_longrope(const RotaryConfig& config, ContextRange range, std::vector<float>& frequencies) {
  const std::vector<double>& factors = range == ContextRange::kShort ? config.short_factors : config.long_factors;
  for (size_t i = 0; i < frequencies.size(); ++i) {
    const float exponent = static_cast<float>(2 * i) / static_cast<float>(config.rotary_dim);
    frequencies[i] = 1.0F / (static_cast<float>(factors[i]) * std::pow(static_cast<float>(config.theta), exponent));
  }
}

void scale(const RotaryConfig& config, ContextRange range, std::vector<float>& frequencies) {
  switch (config.scaling) {
    case RotaryScaling::kNone:
      return;
    case RotaryScaling::kLinear:
      for (float& frequency : frequencies) frequency /= static_cast<float>(config.factor);
      return;
    case RotaryScaling::kLlama3:
      return scale_llama3(config, frequencies);
    case RotaryScaling::kYarn:
      return scale_yarn(config, frequencies);
    case RotaryScaling::kLongRope:
      return scale_longrope(config, range, frequencies);
  }
}

}  // namespace

std::vector<float> rotary_frequencies(const RotaryConfig& config, ContextRange range) {
  std::vector<float> frequencies = plain_frequencies(config.rotary_dim, config.theta);
  scale(config, range, frequencies);
  return frequencies;
}

TextRotary::TextRotary(const RotaryConfig& config)
    : frequencies_(rotary_frequencies(config)),
      sections_(config.sections),
      attention_factor_(static_cast<float>(config.attention_factor)) {
  if (config.scaling != RotaryScaling::kLongRope) return;
  long_frequencies_ = rotary_frequencies(config, ContextRange::kLong);
  short_context_ = static_cast<int64_t>(config.original_max_position);
}

void TextRotary::fill(Backend& backend, std::span<const float> t, std::span<const float> h, std::span<const float> w,
                      Matrix cos, Matrix sin, ContextRange range) const {
  const std::vector<float>& frequencies = range == ContextRange::kLong && short_context_ ? long_frequencies_ : frequencies_;
  if (sections_) {
    ops::mrope_tables(backend, t, h, w, *sections_, frequencies, attention_factor_, cos, sin);
  } else {
    ops::rope_tables(backend, t, frequencies, attention_factor_, cos, sin);
  }
}

VisionRotary::VisionRotary(int64_t head_dim, double theta) : frequencies_(plain_frequencies(head_dim / 2, theta)) {}

void VisionRotary::fill(Backend& backend, std::span<const float> rows, std::span<const float> columns, Matrix cos,
                        Matrix sin) const {
  ops::rope_2d_tables(backend, rows, columns, frequencies_, cos, sin);
}

}  // namespace sensorium
