#include "media/mel_plan.h"

#include <algorithm>
#include <cmath>
#include <numbers>
#include <string>

#include "core/error.h"

namespace sensorium {
namespace {

constexpr double kTwoPi = 2.0 * std::numbers::pi;

Complex unit_root(int64_t numerator, int64_t denominator) {
  const double angle = -kTwoPi * static_cast<double>(numerator % denominator) / static_cast<double>(denominator);
  return {static_cast<float>(std::cos(angle)), static_cast<float>(std::sin(angle))};
}

void plan_fft(MelPlan& plan) {
  int32_t length = plan.n_fft / 2;
  int32_t stride = 1;
  for (const int32_t radix : {4, 2, 3, 5}) {
    while (length % radix == 0) {
      plan.passes.push_back({radix, length, stride, plan.twiddles.size()});
      for (int32_t j = 0; j < length / radix; ++j) {
        for (int32_t r = 1; r < radix; ++r) plan.twiddles.push_back(unit_root(static_cast<int64_t>(j) * r, length));
      }
      length /= radix;
      stride *= radix;
    }
  }
  if (length != 1) {
    throw Error(ErrorCode::kInvalidArgument,
                "n_fft of " + std::to_string(plan.n_fft) + ": half of it has a prime factor above 5");
  }
}

constexpr double kLinearHertz = 200.0 / 3.0;  ///< hertz of one mel below the corner of Slaney's scale
constexpr double kCornerHertz = 1000.0;
constexpr double kCornerMel = kCornerHertz / kLinearHertz;

double log_step() { return 27.0 / std::log(6.4); }

double hertz_to_mel(double hertz) {
  return hertz < kCornerHertz ? hertz / kLinearHertz : kCornerMel + std::log(hertz / kCornerHertz) * log_step();
}

double mel_to_hertz(double mel) {
  return mel < kCornerMel ? mel * kLinearHertz : kCornerHertz * std::exp((mel - kCornerMel) / log_step());
}

MelFilter make_filter(double low, double center, double high, int32_t num_bins, double max_hertz) {
  MelFilter filter;
  const double norm = 2.0 / (high - low);
  const double bins_per_hertz = (num_bins - 1) / max_hertz;
  const int32_t last_bin = std::min(num_bins - 1, static_cast<int32_t>(high * bins_per_hertz) + 1);
  for (auto bin = static_cast<int32_t>(low * bins_per_hertz); bin <= last_bin; ++bin) {
    const double hertz = max_hertz * bin / (num_bins - 1);
    const double weight = std::min((hertz - low) / (center - low), (high - hertz) / (high - center)) * norm;
    if (weight <= 0.0) continue;
    if (filter.weights.empty()) filter.first_bin = bin;
    filter.weights.push_back(static_cast<float>(weight));
  }
  return filter;
}

}  // namespace

MelPlan make_mel_plan(int32_t num_mel_bins, int32_t sampling_rate, int32_t n_fft, int32_t hop_length) {
  const bool is_sane = num_mel_bins >= 1 && num_mel_bins <= 1024 && sampling_rate >= 1000 && sampling_rate <= 384000 &&
                       n_fft >= 16 && n_fft <= 8192 && n_fft % 2 == 0 && hop_length >= 1 && hop_length <= n_fft;
  if (!is_sane) throw Error(ErrorCode::kInvalidArgument, "log-mel options out of range");
  MelPlan plan;
  plan.n_fft = n_fft;
  plan.hop_length = hop_length;
  for (int32_t i = 0; i < n_fft; ++i)
    plan.window.push_back(static_cast<float>(0.5 - 0.5 * std::cos(kTwoPi * i / n_fft)) * 0.5F);
  plan_fft(plan);
  for (int32_t k = 0; k <= n_fft / 2; ++k) plan.unpack_twiddles.push_back(unit_root(k, n_fft));
  const double max_hertz = sampling_rate / 2;
  const double mel_step = hertz_to_mel(max_hertz) / (num_mel_bins + 1);
  for (int32_t m = 0; m < num_mel_bins; ++m) {
    const double low = mel_to_hertz(m * mel_step), center = mel_to_hertz((m + 1) * mel_step);
    plan.filters.push_back(make_filter(low, center, mel_to_hertz((m + 2) * mel_step), n_fft / 2 + 1, max_hertz));
  }
  return plan;
}

}  // namespace sensorium
