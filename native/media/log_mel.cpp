#include "media/log_mel.h"

#include <algorithm>
#include <cmath>
#include <string>
#include <vector>

#include "core/error.h"
#include "media/kernels.h"

namespace sensorium {
namespace {

constexpr size_t kMaxSamples = size_t{1} << 28;
constexpr float kMaxMagnitude = 1e6F;

/// How many frames there are and how many of them are not pure silence.
struct FrameCounts {
  int64_t returned = 0;
  int64_t audible = 0;
};

void check_samples(std::span<const float> samples) {
  if (samples.empty()) throw Error(ErrorCode::kInvalidMedia, "a sound without samples");
  if (samples.size() > kMaxSamples) throw Error(ErrorCode::kInvalidMedia, "a sound of more than 2^28 samples");
  bool is_good = true;
  for (const float sample : samples) is_good &= std::fabs(sample) <= kMaxMagnitude;  // false for NaN too
  if (!is_good) throw Error(ErrorCode::kInvalidMedia, "a sound with samples that are not finite or above 1e6");
}

int64_t divide_up(int64_t value, int64_t divisor) { return (value + divisor - 1) / divisor; }

FrameCounts count_frames(int64_t num_samples, const LogMelOptions& options) {
  const int64_t hop = options.hop_length;
  if (!options.is_padded_with_silence) return {num_samples / hop, num_samples / hop};
  const int64_t audible = divide_up(num_samples + options.n_fft / 2, hop);
  if (options.padded_samples == 0) return {divide_up(num_samples, hop), audible};
  const int64_t returned = options.padded_samples / hop;
  const bool is_end_reflected = options.padded_samples - num_samples <= options.n_fft;
  return {returned, is_end_reflected ? returned : std::min(returned, audible)};
}

/// Index in [0, length) that a reflection at both ends reads.
int64_t reflect(int64_t index, int64_t length) {
  const int64_t period = std::max<int64_t>(1, 2 * (length - 1));
  const int64_t folded = ((index % period) + period) % period;
  return length == 1 ? 0 : std::min(folded, period - folded);
}

/// The samples with n_fft / 2 reflected ones before them, and reflection or silence after them, so that `num_frames` fit.
std::vector<float> pad(std::span<const float> samples, const LogMelOptions& options, int64_t num_frames) {
  const auto num_samples = static_cast<int64_t>(samples.size());
  const int64_t margin = options.n_fft / 2;
  const bool is_endless = options.is_padded_with_silence && options.padded_samples == 0;
  const int64_t length = options.padded_samples > 0 ? options.padded_samples : num_samples;
  std::vector<float> padded(static_cast<size_t>((num_frames - 1) * options.hop_length + options.n_fft), 0.0F);
  const auto padded_size = static_cast<int64_t>(padded.size());
  std::copy_n(samples.begin(), std::min(num_samples, padded_size - margin), padded.begin() + margin);
  const auto sample_at = [&](int64_t index) {
    const int64_t source = is_endless ? std::abs(index) : reflect(index, length);
    return source < num_samples ? samples[source] : 0.0F;
  };
  for (int64_t i = 0; i < margin; ++i) padded[i] = sample_at(i - margin);
  if (is_endless) return padded;
  const int64_t end = std::min(length + 2 * margin, padded_size);
  for (int64_t i = length + margin; i < end; ++i) padded[i] = sample_at(i - margin);
  return padded;
}

/// Stores `num_rows` frames of [num_bins, kMelLanes] as rows.
void store_rows(const float* lanes, int64_t num_bins, int64_t num_rows, float* out) {
  for (int64_t bin = 0; bin < num_bins; ++bin) {
    for (int64_t lane = 0; lane < num_rows; ++lane) out[lane * num_bins + bin] = lanes[bin * kMelLanes + lane];
  }
}

/// log10 mel power of the first `num_frames` frames; as many as `out` has are stored. Returns the maximum over all of them.
float compute_frames(const MelPlan& plan, const std::vector<float>& padded, int64_t num_frames, Tensor& out) {
  const auto num_bins = static_cast<int64_t>(plan.filters.size());
  const int64_t num_stored = out.shape()[0];
  Buffer scratch(plan.num_scratch_floats() * sizeof(float));
  std::vector<float> lanes(static_cast<size_t>(num_bins) * kMelLanes);
  float maxima[kMelLanes];
  std::fill_n(maxima, kMelLanes, -10.0F);
  for (int64_t first = 0; first < num_frames; first += kMelLanes) {
    media_kernels().log_mel_frames(plan, padded.data() + first * plan.hop_length, static_cast<float*>(scratch.data()),
                                   lanes.data());
    const int64_t count = std::min<int64_t>(kMelLanes, num_frames - first);
    for (int64_t bin = 0; bin < num_bins; ++bin) {
      for (int64_t lane = 0; lane < count; ++lane) maxima[lane] = std::max(maxima[lane], lanes[bin * kMelLanes + lane]);
    }
    const int64_t num_rows = std::min(count, num_stored - first);
    if (num_rows > 0) store_rows(lanes.data(), num_bins, num_rows, out.data() + first * num_bins);
  }
  return *std::max_element(maxima, maxima + kMelLanes);
}

}  // namespace

Tensor log_mel(std::span<const float> samples, const LogMelOptions& options) {
  check_samples(samples);
  const auto num_samples = static_cast<int64_t>(samples.size());
  const bool has_room =
      options.padded_samples == 0 || (options.is_padded_with_silence && options.padded_samples >= num_samples);
  if (!has_room || options.padded_samples > static_cast<int64_t>(kMaxSamples)) {
    throw Error(ErrorCode::kInvalidMedia, "a sound of " + std::to_string(num_samples) +
                                              " samples does not fit padded_samples " + std::to_string(options.padded_samples));
  }
  const MelPlan plan = make_mel_plan(options.num_mel_bins, options.sampling_rate, options.n_fft, options.hop_length);
  const FrameCounts frames = count_frames(num_samples, options);
  if (frames.returned == 0) {
    throw Error(ErrorCode::kInvalidMedia, "a sound of " + std::to_string(num_samples) +
                                              " samples is shorter than one frame of " + std::to_string(options.hop_length));
  }
  const int64_t num_computed = divide_up(frames.audible, kMelLanes) * kMelLanes;
  Tensor out({frames.returned, options.num_mel_bins});
  const float maximum = compute_frames(plan, pad(samples, options, num_computed), frames.audible, out);
  float* values = out.data();
  const int64_t num_values = out.size();
  const int64_t num_stored = std::min(frames.audible, frames.returned) * options.num_mel_bins;
  std::fill(values + num_stored, values + num_values, -10.0F);
  const float floor_value = maximum - 8.0F;
  for (int64_t i = 0; i < num_values; ++i) values[i] = (std::max(values[i], floor_value) + 4.0F) / 4.0F;
  return out;
}

}  // namespace sensorium
