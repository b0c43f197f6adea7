#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include "check.h"
#include "core/error.h"
#include "golden_tensors.h"
#include "media/kernels.h"
#include "media/log_mel.h"
#include "media/resample.h"

using namespace sensorium;

namespace {

constexpr double kMelTolerance = 1e-4;

LogMelOptions options_of(int32_t num_mel_bins, bool is_padded_with_silence, int64_t padded_samples = 0) {
  LogMelOptions options;
  options.num_mel_bins = num_mel_bins;
  options.is_padded_with_silence = is_padded_with_silence;
  options.padded_samples = padded_samples;
  return options;
}

/// Largest difference between time-major frames and a golden stored [num_bins, num_stored], over `num_frames`.
double max_difference(const Tensor& frames, const std::vector<float>& golden, int64_t num_stored, int64_t num_frames) {
  const int64_t num_bins = frames.shape()[1];
  double difference = 0.0;
  for (int64_t t = 0; t < num_frames; ++t) {
    for (int64_t bin = 0; bin < num_bins; ++bin) {
      difference = std::max(difference,
                            std::fabs(static_cast<double>(frames.data()[t * num_bins + bin]) - golden[bin * num_stored + t]));
    }
  }
  return difference;
}

/// Away from the ends, where a cut tone has power at all frequencies.
double rms_of_interior(const std::vector<float>& samples) {
  constexpr size_t margin = 200;
  double sum = 0.0;
  for (size_t i = margin; i + margin < samples.size(); ++i) sum += static_cast<double>(samples[i]) * samples[i];
  return std::sqrt(sum / static_cast<double>(samples.size() - 2 * margin));
}

std::vector<float> tone(double hertz, int32_t rate, size_t num_samples) {
  std::vector<float> samples(num_samples);
  for (size_t i = 0; i < num_samples; ++i) {
    samples[i] = static_cast<float>(0.5 * std::sin(2.0 * 3.14159265358979 * hertz * static_cast<double>(i) / rate));
  }
  return samples;
}

}  // namespace

TEST(mel_filters_equal_reference) {
  const golden::Tensors tensors(golden::root() / "components" / "log_mel" / "data.safetensors");
  for (const int32_t num_bins : {80, 128}) {
    const auto golden = tensors.get<float>("mel_filters." + std::to_string(num_bins));
    const MelPlan plan = make_mel_plan(num_bins, 16000, 400, 160);
    for (int32_t m = 0; m < num_bins; ++m) {
      std::vector<float> dense(201, 0.0F);
      std::copy(plan.filters[m].weights.begin(), plan.filters[m].weights.end(), dense.begin() + plan.filters[m].first_bin);
      for (int32_t bin = 0; bin < 201; ++bin) CHECK_NEAR(dense[bin], golden[bin * num_bins + m], 1e-7);
    }
  }
}

TEST(log_mel_equals_reference) {
  const auto folder = golden::root() / "components" / "log_mel";
  const golden::Tensors tensors(folder / "data.safetensors");
  const Json cases = Json::parse_file((folder / "cases.json").string());
  for (const Json& item : cases.find("cases")->as_array()) {
    const auto num_bins = static_cast<int32_t>(item.find("mel")->as_int());
    const std::string name = std::to_string(num_bins) + "." + std::to_string(item.find("samples")->as_int());
    const auto samples = tensors.get<float>("wave." + std::to_string(item.find("samples")->as_int()));

    const Tensor longest = log_mel(samples, options_of(num_bins, false));
    CHECK_EQ(longest.shape()[0], item.find("frames_longest")->as_int());
    CHECK_NEAR(max_difference(longest, tensors.get<float>("longest." + name), longest.shape()[0], longest.shape()[0]), 0.0,
               kMelTolerance);

    const int64_t num_stored = item.find("max_length_stored")->as_int();
    const auto golden = tensors.get<float>("max_length." + name);
    const Tensor valid = log_mel(samples, options_of(num_bins, true));
    CHECK_EQ(valid.shape()[0], item.find("frames_max_length_valid")->as_int());
    CHECK_NEAR(max_difference(valid, golden, num_stored, valid.shape()[0]), 0.0, kMelTolerance);

    const Tensor window = log_mel(samples, options_of(num_bins, true, 480000));
    CHECK_EQ(window.shape()[0], 3000);
    CHECK_NEAR(max_difference(window, golden, num_stored, num_stored), 0.0, kMelTolerance);
    CHECK_NEAR(window.data()[window.size() - 1], item.find("max_length_fill")->as_double(), kMelTolerance);
  }
}

TEST(log_mel_tables_agree_bit_for_bit) {
  const MelPlan plan = make_mel_plan(128, 16000, 400, 160);
  auto samples = tone(440.0, 16000, 400 + 15 * 160);
  for (size_t i = 0; i < samples.size(); i += 3) samples[i] += 0.1F;
  Buffer scratch(plan.num_scratch_floats() * sizeof(float));
  std::vector<float> expected(128 * kMelLanes), found(expected.size());
  std::vector<float> expected_maxima(kMelLanes), maxima(kMelLanes);
  generic_media_kernels().log_mel_frames(plan, samples.data(), static_cast<float*>(scratch.data()), expected.data(),
                                         expected_maxima.data());
  for (int32_t lane = 0; lane < kMelLanes; ++lane) {
    const auto frame = expected.begin() + lane * 128;
    CHECK_EQ(expected_maxima[static_cast<size_t>(lane)], *std::max_element(frame, frame + 128));
  }
  for (const MediaKernels* kernels : available_media_kernels()) {
    kernels->log_mel_frames(plan, samples.data(), static_cast<float*>(scratch.data()), found.data(), maxima.data());
    CHECK(found == expected);
    CHECK(maxima == expected_maxima);
  }
}

TEST(frames_follow_the_token_count_tables) {
  const Json cases = Json::parse_file((golden::root() / "components" / "token_counts" / "cases.json").string());
  for (const Json& item : cases.find("audio")->as_array()) {
    const std::vector<float> samples(static_cast<size_t>(item.find("seconds_samples")->as_int()), 0.25F);
    CHECK_EQ(log_mel(samples, options_of(80, true)).shape()[0], item.find("mel_max_length")->as_int());
    CHECK_EQ(log_mel(samples, options_of(80, false)).shape()[0], item.find("mel_longest")->as_int());
  }
}

TEST(other_transform_lengths_find_a_tone) {
  for (const int32_t n_fft : {256, 480, 512, 1024}) {
    LogMelOptions options;
    options.n_fft = n_fft;
    options.num_mel_bins = 80;
    const Tensor frames = log_mel(tone(1000.0, 16000, 16000), options);
    const float* middle = frames.data() + 50 * 80;
    const auto peak = std::max_element(middle, middle + 80) - middle;
    CHECK(peak >= 25 && peak <= 28);  // 80 bins to 45.2 mel: 1000 Hz is 15 mel
  }
}

TEST(log_mel_refuses_bad_sound) {
  const std::vector<float> none, short_sound(100, 0.1F), good(1000, 0.1F);
  std::vector<float> bad(1000, 0.1F);
  CHECK_THROWS(log_mel(none, options_of(80, true)), ErrorCode::kInvalidMedia);
  CHECK_THROWS(log_mel(short_sound, options_of(80, false)), ErrorCode::kInvalidMedia);
  CHECK_EQ(log_mel(short_sound, options_of(80, true)).shape()[0], 1);
  CHECK_THROWS(log_mel(good, options_of(80, true, 999)), ErrorCode::kInvalidMedia);
  CHECK_THROWS(log_mel(good, options_of(0, true)), ErrorCode::kInvalidArgument);
  LogMelOptions odd;
  odd.n_fft = 14 * 16;
  CHECK_THROWS(log_mel(good, odd), ErrorCode::kInvalidArgument);
  for (const float value : {std::numeric_limits<float>::quiet_NaN(), std::numeric_limits<float>::infinity(), -2e6F}) {
    bad[500] = value;
    CHECK_THROWS(log_mel(bad, options_of(80, true)), ErrorCode::kInvalidMedia);
  }
}

TEST(resample_is_near_the_reference) {
  const auto folder = golden::root() / "components" / "resample";
  const golden::Tensors tensors(folder / "data.safetensors");
  const Json cases = Json::parse_file((folder / "cases.json").string());
  for (const Json& item : cases.find("cases")->as_array()) {
    const auto rate = static_cast<int32_t>(item.find("rate")->as_int());
    const auto found = resample(tensors.get<float>("in." + std::to_string(rate)), rate, 16000);
    const auto golden = tensors.get<float>("soxr_hq." + std::to_string(rate));
    CHECK_EQ(found.size(), golden.size());
    for (size_t i = 200; i + 200 < golden.size(); ++i) CHECK_NEAR(found[i], golden[i], 2e-3);
  }
  const auto mono = mix_to_mono(tensors.get<float>("in_stereo.44100"), 2);
  const auto found = resample(mono, 44100, 16000);
  const auto golden = tensors.get<float>("mono_then_soxr_hq.44100");
  for (size_t i = 200; i + 200 < golden.size(); ++i) CHECK_NEAR(found[i], golden[i], 2e-3);
}

TEST(resample_suppresses_aliases) {
  const golden::Tensors tensors(golden::root() / "components" / "resample" / "data.safetensors");
  CHECK(rms_of_interior(resample(tensors.get<float>("alias_in.44100"), 44100, 16000)) < 1e-3);
  CHECK(rms_of_interior(resample(tone(9000.0, 48000, 48000), 48000, 16000)) < 1e-3);
}

TEST(resample_interpolates_between_phases_of_odd_rates) {
  const int32_t odd_rate = 44101;
  const auto found = resample(tone(1000.0, odd_rate, 44101), odd_rate, 16000);
  const auto expected = tone(1000.0, 16000, 16000);
  CHECK_EQ(found.size(), expected.size());
  for (size_t i = 200; i + 200 < expected.size(); ++i) CHECK_NEAR(found[i], expected[i], 1e-4);
}

TEST(resample_checks_its_input) {
  const std::vector<float> samples(10, 0.5F), bad{0.0F, std::numeric_limits<float>::infinity()};
  CHECK_THROWS(resample(samples, 999, 16000), ErrorCode::kInvalidMedia);
  CHECK_THROWS(resample(samples, 16000, 384001), ErrorCode::kInvalidMedia);
  CHECK_THROWS(resample(bad, 8000, 16000), ErrorCode::kInvalidMedia);
  CHECK(resample(samples, 16000, 16000) == samples);
  CHECK_EQ(resample(samples, 48000, 16000).size(), 4U);
  CHECK(resample({}, 8000, 16000).empty());
  CHECK_THROWS(mix_to_mono(samples, 3), ErrorCode::kInvalidMedia);
  CHECK_THROWS(mix_to_mono(samples, 0), ErrorCode::kInvalidMedia);
}
