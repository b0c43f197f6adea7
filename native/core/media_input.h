#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "core/patches.h"
#include "core/tensor.h"

namespace sensorium {

enum class Modality { kImage, kVideo, kAudio };

/// What a processor made of one decoded picture, clip or sound: the encoder's input. Immutable once made and shared.
struct ProcessedMedia {
  Modality modality = Modality::kImage;
  /// Image and video: patches in merge-block order, as levels. Empty when `features` holds them.
  Patches patches;
  /// Audio: log-mel, time-major [num_frames, num_mel_bins]. Image and video whose patches came as floats: [num_patches,
  /// patch_dim] in merge-block order.
  Tensor features;
  /// Audio: leading rows of `features` that the sound takes; the rest is silence, which convolutions see.
  int32_t num_sound_frames = 0;
  /// Image and video: temporal, height and width in patches, before merging. Audio: {0, 0, 0}.
  int32_t grid_t = 0;
  int32_t grid_h = 0;
  int32_t grid_w = 0;
  /// Video: seconds of one temporal patch (temporal_patch_size / sampled fps); image: 0.
  float seconds_per_grid = 0.0F;
  /// Ready-made encoder output [num_tokens, hidden]; then `patches` and `features` are empty and no encoder runs.
  Tensor embeddings;

  /// [rows, columns] of the encoder's input, in whichever form it is held.
  Shape input_shape() const { return patches.empty() ? features.shape() : patches.shape(); }
  size_t size_bytes() const {
    return patches.size_bytes() + static_cast<size_t>(features.size() + embeddings.size()) * sizeof(float);
  }
};

/// A stretch of placeholder tokens in the prompt.
struct TokenRun {
  int32_t offset = 0;  ///< index of the first placeholder in the prompt
  int32_t count = 0;
};

/// One media item of a request: its encoder rows fill its runs in order.
struct MediaItem {
  std::string key;  ///< identifies the encoder output: equal keys give equal rows; tenant and options are part of it
  std::shared_ptr<const ProcessedMedia> media;
  std::vector<TokenRun> runs;  ///< one, except for a video interleaved with its sound
  /// On a video whose sound is interleaved with it (use_audio_in_video): its audio is the next item of the request.
  bool is_interleaved_with_audio = false;
  int32_t num_tokens() const {
    int32_t total = 0;
    for (const TokenRun& run : runs) total += run.count;
    return total;
  }
};

}  // namespace sensorium
