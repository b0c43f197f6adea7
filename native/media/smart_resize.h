#pragma once

#include <cstdint>

namespace sensorium {

struct ImageSize {
  int32_t height = 0;
  int32_t width = 0;
};

/// Qwen2-VL's smart_resize (image_processing_qwen2_vl.py): both sides to multiples of `factor`, area within
/// [min_pixels, max_pixels], half-even rounding. Throws kInvalidMedia when the aspect ratio exceeds 200 or a side is < 1.
ImageSize smart_resize(int32_t height, int32_t width, int32_t factor, int64_t min_pixels, int64_t max_pixels);

/// Qwen3-VL's video variant: limits count frames * height * width.
ImageSize smart_resize_video(int32_t num_frames, int32_t height, int32_t width, int32_t temporal_factor, int32_t factor,
                             int64_t min_pixels, int64_t max_pixels);

}  // namespace sensorium
