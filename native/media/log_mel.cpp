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
  int32_t num_bad = 0;  // a count, which compilers vectorise
  for (const float sample : samples) num_bad += std::fabs(sample) <= kMaxMagnitude ? 0 : 1;  // bad for NaN too
  if (num_bad > 0) throw Error(ErrorCode::kInvalidMedia, "a sound with samples that are not finite or above 1e6");
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

/// The samples as the frames see them: n_fft / 2 reflected ones before them, reflection or silence after them.
class PaddedSamples {
 public:
  PaddedSamples(std::span<const float> samples, const LogMelOptions& options)
      : samples_(samples),
        hop_length_(options.hop_length),
        margin_(options.n_fft / 2),
        is_endless_(options.is_padded_with_silence && options.padded_samples == 0),
        length_(options.padded_samples > 0 ? options.padded_samples : static_cast<int64_t>(samples.size())),
        group_(static_cast<size_t>((kMelLanes - 1) * options.hop_length + options.n_fft)) {}

  /// What kMelLanes frames from `frame` on read; valid until the next call. Only frames at the ends need a copy.
  const float* group(int64_t frame) {
    const auto num_samples = static_cast<int64_t>(samples_.size()), group_size = static_cast<int64_t>(group_.size());
    const int64_t begin = frame * hop_length_ - margin_;
    if (begin >= 0 && begin + group_size <= num_samples) return samples_.data() + begin;
    for (int64_t i = 0; i < group_size; ++i) group_[i] = sample_at(begin + i);
    return group_.data();
  }

 private:
  float sample_at(int64_t index) const {
    const auto num_samples = static_cast<int64_t>(samples_.size());
    if (index >= 0 && index < num_samples) return samples_[index];
    const int64_t source = is_endless_ ? std::abs(index) : reflect(index, length_);
    return source < num_samples ? samples_[source] : 0.0F;
  }

  std::span<const float> samples_;
  int64_t hop_length_, margin_;
  bool is_endless_;  ///< silence follows without end
  int64_t length_;   ///< samples to the end that reflects
  std::vector<float> group_;
};

/// log10 mel power of the first `num_frames` frames; as many as `out` has are stored. Returns the maximum over all of them.
float compute_frames(const MelPlan& plan, PaddedSamples& samples, int64_t num_frames, Tensor& out) {
  const auto num_bins = static_cast<int64_t>(plan.filters.size());
  const int64_t num_stored = out.shape()[0];
  Buffer scratch(plan.num_scratch_floats() * sizeof(float));
  std::vector<float> rows(static_cast<size_t>(num_bins) * kMelLanes);
  float maximum = -10.0F;
  for (int64_t first = 0; first < num_frames; first += kMelLanes) {
    float* stored = out.data() + first * num_bins;
    const bool is_whole = first + kMelLanes <= num_stored;
    float maxima[kMelLanes];
    media_kernels().log_mel_frames(plan, samples.group(first), static_cast<float*>(scratch.data()),
                                   is_whole ? stored : rows.data(), maxima);
    maximum = std::max(maximum, *std::max_element(maxima, maxima + std::min<int64_t>(kMelLanes, num_frames - first)));
    if (!is_whole && first < num_stored) std::copy_n(rows.data(), (num_stored - first) * num_bins, stored);
  }
  return maximum;
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
  FrameCounts frames = count_frames(num_samples, options);
  if (frames.returned == 0) {
    throw Error(ErrorCode::kInvalidMedia, "a sound of " + std::to_string(num_samples) +
                                              " samples is shorter than one frame of " + std::to_string(options.hop_length));
  }
  if (options.max_frames > 0) frames.returned = std::min(frames.returned, options.max_frames);
  Tensor out({frames.returned, options.num_mel_bins});
  PaddedSamples padded(samples, options);
  const float maximum = compute_frames(plan, padded, frames.audible, out);
  float* values = out.data();
  const int64_t num_values = out.size();
  const int64_t num_stored = std::min(frames.audible, frames.returned) * options.num_mel_bins;
  std::fill(values + num_stored, values + num_values, -10.0F);
  const float floor_value = maximum - 8.0F;
  for (int64_t i = 0; i < num_values; ++i) values[i] = (std::max(values[i], floor_value) + 4.0F) / 4.0F;
  return out;
}

}  // namespace sensorium
