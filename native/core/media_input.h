#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "core/patches.h"
#include "core/tensor.h"

namespace sensorium {

enum class Modality { kImage, kVideo, kAudio };

/// How the tiles of a picture lie that was seen as a whole first, then cut up. Sizes are of patches, or of the cells that an
/// encoder makes of them.
struct TileLayout {
  int32_t rows = 0, columns = 0;           ///< of tiles; 0: the whole picture alone
  int32_t overview_h = 0, overview_w = 0;  ///< patches of the whole picture
  int32_t kept_top = 0, kept_left = 0;     ///< the part of all tiles' patches that shows the picture, not padding
  int32_t kept_h = 0, kept_w = 0;
  int32_t packed_h = 0, packed_w = 0;  ///< cells that the encoder makes of that part

  int32_t num_tiles() const { return rows * columns; }
};

/// What a processor made of one decoded picture, clip or sound: the encoder's input. Immutable once made and shared.
struct ProcessedMedia {
  Modality modality = Modality::kImage;
  /// Image and video: patches in merge-block order, as levels. Rows that `features` holds come before them.
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
  /// Image that was cut into tiles: then grid_t counts these and the whole picture, grid_h and grid_w are those of a tile.
  std::optional<TileLayout> tiles;
  /// Video: seconds of one temporal patch (temporal_patch_size / sampled fps); image: 0.
  float seconds_per_grid = 0.0F;
  /// Ready-made encoder output [num_tokens, hidden]; then `patches` and `features` are empty and no encoder runs.
  Tensor embeddings;

  /// [rows, columns] of the encoder's input, in whichever form it is held.
  Shape input_shape() const;
  /// Rows [first_row, first_row + out.rows) of it as floats. Throws kInvalidArgument when `out` has other columns or more rows.
  void expand_rows(int64_t first_row, Matrix out) const;
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
