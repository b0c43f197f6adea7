#pragma once

#include <memory>
#include <string>
#include <vector>

#include "engine/decoding_rules.h"
#include "golden_case.h"

/// Cases of the golden Whisper: windows of sound, and what the reference heard in each.
namespace golden {

inline std::vector<int32_t> ids_at(const sensorium::Json& object, const std::string& key) {
  std::vector<int32_t> ids;
  if (const sensorium::Json* list = object.find(key)) {
    for (const sensorium::Json& id : list->as_array()) ids.push_back(static_cast<int32_t>(id.as_int()));
  }
  return ids;
}

/// The rules of generation_config.json; those of timestamps where the prompt does not forbid them.
inline sensorium::DecodingRules whisper_rules(const std::vector<int32_t>& prompt_ids) {
  const sensorium::Json config =
      sensorium::Json::parse_file((root() / "whisper" / "model" / "generation_config.json").string());
  sensorium::DecodingRules rules{ids_at(config, "begin_suppress_tokens"), ids_at(config, "suppress_tokens"), {}};
  sensorium::TimestampRules timestamps;
  timestamps.no_timestamps_id = static_cast<int32_t>(config.get_int("no_timestamps_token_id", -1));
  timestamps.eos_id = static_cast<int32_t>(config.get_int("eos_token_id", -1));
  timestamps.max_initial_index = static_cast<int32_t>(config.get_int("max_initial_timestamp_index", -1));
  if (prompt_ids.back() != timestamps.no_timestamps_id) rules.timestamps = timestamps;
  return rules;
}

/// One window of a case and the reference's tensors for it, whose names begin with `prefix`.
struct WhisperWindow {
  std::string name;
  std::string prefix;
  std::shared_ptr<const Tensors> tensors;
  std::shared_ptr<const sensorium::ProcessedMedia> media;
  std::vector<int32_t> prompt_ids, generated_ids;
  std::vector<double> margins;  ///< between the best and the second best token of each step; empty: not stored
};

constexpr int64_t kWindowFrames = 3000;

/// A window of mel frames, zeros behind them.
inline std::shared_ptr<const sensorium::ProcessedMedia> mel_window(const sensorium::Tensor& mel, int64_t begin) {
  auto media = std::make_shared<sensorium::ProcessedMedia>();
  const int64_t num_bins = mel.shape()[1], count = std::min(kWindowFrames, mel.shape()[0] - begin);
  media->modality = sensorium::Modality::kAudio;
  media->features = sensorium::Tensor({kWindowFrames, num_bins});
  media->num_sound_frames = static_cast<int32_t>(count);
  std::fill_n(media->features.data(), media->features.size(), 0.0F);
  std::copy_n(mel.data() + begin * num_bins, count * num_bins, media->features.data());
  return media;
}

/// The windows of a case: one, or those of a long file.
inline std::vector<WhisperWindow> whisper_windows(const std::filesystem::path& folder) {
  const sensorium::Json expected = sensorium::Json::parse_file((folder / "expected.json").string());
  const auto tensors = std::make_shared<const Tensors>(folder / "expected.safetensors");
  const std::vector<float> samples = read_wav(folder / "m1.wav");
  const sensorium::Json* windows = expected.find("windows");
  sensorium::LogMelOptions options;
  options.num_mel_bins = 80;
  if (windows == nullptr) {
    options.padded_samples = 480000;
  } else {
    options.is_padded_with_silence = false;
  }
  const sensorium::Tensor mel = sensorium::log_mel(samples, options);
  const std::vector<int32_t> prompt_ids = ids_at(expected, "decoder_prompt");
  if (windows == nullptr) {
    WhisperWindow window{folder.filename().string(),        "", tensors, mel_window(mel, 0), prompt_ids,
                         ids_at(expected, "generated_ids"), {}};
    for (const sensorium::Json& margin : expected.find("argmax_margin")->as_array())
      window.margins.push_back(margin.as_double());
    return {window};
  }
  std::vector<WhisperWindow> result;
  for (const sensorium::Json& window : windows->as_array()) {
    const std::string index = std::to_string(result.size());
    result.push_back({folder.filename().string() + " " + index,
                      "window." + index + ".",
                      tensors,
                      mel_window(mel, window.get_int("seek_frame", 0)),
                      prompt_ids,
                      ids_at(window, "generated_ids"),
                      {}});
  }
  return result;
}

inline std::vector<WhisperWindow> all_whisper_windows() {
  std::vector<WhisperWindow> result;
  for (const std::filesystem::path& folder : case_folders("whisper")) {
    for (WhisperWindow& window : whisper_windows(folder)) result.push_back(std::move(window));
  }
  return result;
}

}  // namespace golden
