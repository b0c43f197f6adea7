#pragma once

#include <cstdint>
#include <optional>
#include <span>

#include "models/model.h"

namespace sensorium {

/// How a Qwen multimodal family numbers positions.
struct MropeRules {
  int32_t merge_size = 2;  ///< patches per merged cell and axis
  int32_t image_token_id = 0;
  int32_t video_token_id = 0;
  std::optional<int32_t> audio_token_id;  ///< absent: the family hears nothing
  /// Ids that one second of video takes on the time axis; absent: each temporal patch takes one.
  std::optional<float> ids_per_second;
  bool has_fractional_time = false;  ///< ids of video time keep their fraction
  bool has_split_videos = false;     ///< each temporal patch of a clip is a run of its own, with text around it
  /// Of a clip interleaved with its sound: the two tokens before share one position, and so do the two after.
  bool has_shared_borders = true;
};

/// M-RoPE of Qwen2-VL, Qwen2.5-VL, Qwen3-VL and the thinkers of Qwen2.5-Omni and Qwen3-Omni.
/// Text advances all axes by one. A picture or clip that starts at s puts its merged cell (t, row, col) at
/// (s + time(t), s + row, s + col); sound advances like text. What follows starts at the block's maximum + 1.
/// A temporal patch of a split clip is numbered as a picture. A clip interleaved with its sound: both streams start at the same
/// position, and the tokens after them at the maximum of the last piece + 1.
/// Throws kInvalidArgument where runs, grids and placeholder ids do not agree.
PromptPositions mrope_positions(std::span<const int32_t> prompt_ids, std::span<const MediaItem> media, const MropeRules& rules);

/// Positions of a prompt without media axes: 0, 1, 2, ...
PromptPositions sequential_positions(size_t num_tokens);

}  // namespace sensorium
