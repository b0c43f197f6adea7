#include "media/resample.h"

#include <algorithm>
#include <cmath>
#include <numbers>
#include <numeric>
#include <string>

#include "core/error.h"

namespace sensorium {
namespace {

constexpr int32_t kMinRate = 1000, kMaxRate = 384000;
constexpr int64_t kMaxSamples = int64_t{1} << 28;
constexpr int32_t kMaxChannels = 64;
constexpr double kZeroCrossings = 48;  ///< on each side of the sinc
constexpr double kKaiserBeta = 10.0;   ///< stop band near -100 dB
constexpr double kRolloff = 0.945;     ///< middle of the transition band, of the lower Nyquist frequency
constexpr int64_t kMaxExactPhases = 1024;
constexpr int64_t kInterpolatedPhases = 256;

void check_samples(std::span<const float> samples) {
  if (static_cast<int64_t>(samples.size()) > kMaxSamples) throw Error(ErrorCode::kInvalidMedia, "more than 2^28 samples");
  bool is_finite = true;
  for (const float sample : samples) is_finite &= std::isfinite(sample);
  if (!is_finite) throw Error(ErrorCode::kInvalidMedia, "a sound with samples that are not finite");
}

void check_rate(int32_t rate) {
  if (rate >= kMinRate && rate <= kMaxRate) return;
  throw Error(ErrorCode::kInvalidMedia, "a sampling rate of " + std::to_string(rate) + " Hz is outside [1000, 384000]");
}

/// Modified Bessel function of the first kind, order 0.
double bessel_i0(double x) {
  double sum = 1.0, term = 1.0;
  for (int k = 1; term > sum * 1e-17; ++k) {
    const double half = x / (2.0 * k);
    term *= half * half;
    sum += term;
  }
  return sum;
}

/// Filter rows for fractional input positions 0, 1 / phases, ..., 1 (both ends), each normalised to a gain of 1 at 0 Hz.
struct PhaseTable {
  int64_t num_phases = 0;
  int64_t half_taps = 0;  ///< tap k of a row weighs the input at floor(position) + k - half_taps + 1
  std::vector<float> rows;

  int64_t num_taps() const { return 2 * half_taps; }
  const float* row(int64_t phase) const { return rows.data() + phase * num_taps(); }
};

PhaseTable make_phase_table(int64_t num_phases, double cutoff) {
  PhaseTable table;
  table.num_phases = num_phases;
  const double half_width = kZeroCrossings / cutoff;  // input samples
  table.half_taps = (static_cast<int64_t>(std::ceil(half_width)) + 3) / 4 * 4;
  const double window_scale = 1.0 / bessel_i0(kKaiserBeta);
  std::vector<double> taps(table.num_taps());
  for (int64_t phase = 0; phase <= num_phases; ++phase) {
    double sum = 0.0;
    for (int64_t k = 0; k < table.num_taps(); ++k) {
      const double t = static_cast<double>(k - table.half_taps + 1) - static_cast<double>(phase) / num_phases;
      const double x = t / half_width;
      const double window = std::fabs(x) < 1.0 ? bessel_i0(kKaiserBeta * std::sqrt(1.0 - x * x)) * window_scale : 0.0;
      const double angle = std::numbers::pi * cutoff * t;
      taps[k] = (angle == 0.0 ? 1.0 : std::sin(angle) / angle) * window;
      sum += taps[k];
    }
    for (const double tap : taps) table.rows.push_back(static_cast<float>(tap / sum));
  }
  return table;
}

/// Eight running sums: the order of additions is fixed and the compiler can keep them in vector registers.
float dot(const float* a, const float* b, int64_t count) {
  float sums[8] = {};
  for (int64_t i = 0; i < count; i += 8) {
    for (int lane = 0; lane < 8; ++lane) sums[lane] += a[i + lane] * b[i + lane];
  }
  return ((sums[0] + sums[4]) + (sums[2] + sums[6])) + ((sums[1] + sums[5]) + (sums[3] + sums[7]));
}

}  // namespace

std::vector<float> resample(std::span<const float> samples, int32_t from_rate, int32_t to_rate) {
  check_rate(from_rate);
  check_rate(to_rate);
  check_samples(samples);
  const auto num_in = static_cast<int64_t>(samples.size());
  if (from_rate == to_rate || num_in == 0) return {samples.begin(), samples.end()};
  const int64_t divisor = std::gcd(from_rate, to_rate);
  const int64_t up = to_rate / divisor, down = from_rate / divisor;
  const int64_t num_out = (num_in * up + down - 1) / down;
  if (num_out > kMaxSamples) throw Error(ErrorCode::kInvalidMedia, "more than 2^28 samples after resampling");

  const bool is_exact = up <= kMaxExactPhases;
  const double cutoff = kRolloff * std::min(1.0, static_cast<double>(to_rate) / from_rate);
  const PhaseTable table = make_phase_table(is_exact ? up : kInterpolatedPhases, cutoff);
  std::vector<float> padded(static_cast<size_t>(num_in + table.num_taps() + 1), 0.0F);
  std::copy(samples.begin(), samples.end(), padded.begin() + (table.half_taps - 1));

  std::vector<float> out(static_cast<size_t>(num_out));
  for (int64_t i = 0; i < num_out; ++i) {
    const int64_t position = i * down;  // in 1 / up input samples
    const float* window = padded.data() + position / up;
    if (is_exact) {
      out[i] = dot(table.row(position % up), window, table.num_taps());
      continue;
    }
    const double phase = static_cast<double>(position % up) / static_cast<double>(up) * kInterpolatedPhases;
    const auto lower = static_cast<int64_t>(phase);
    const auto fraction = static_cast<float>(phase - static_cast<double>(lower));
    const float a = dot(table.row(lower), window, table.num_taps());
    const float b = dot(table.row(lower + 1), window, table.num_taps());
    out[i] = a + (b - a) * fraction;
  }
  return out;
}

std::vector<float> mix_to_mono(std::span<const float> interleaved, int32_t num_channels) {
  if (num_channels < 1 || num_channels > kMaxChannels || interleaved.size() % static_cast<size_t>(num_channels) != 0) {
    throw Error(ErrorCode::kInvalidMedia,
                "sound of " + std::to_string(interleaved.size()) + " samples in " + std::to_string(num_channels) + " channels");
  }
  std::vector<float> mono(interleaved.size() / num_channels);
  const float scale = 1.0F / static_cast<float>(num_channels);
  for (size_t i = 0; i < mono.size(); ++i) {
    float sum = 0.0F;
    for (int32_t channel = 0; channel < num_channels; ++channel) sum += interleaved[i * num_channels + channel];
    mono[i] = sum * scale;
  }
  return mono;
}

}  // namespace sensorium
