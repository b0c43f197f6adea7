#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "core/tensor.h"
#include "media/kernels.h"
#include "media/resize.h"

namespace sensorium {

/// Resizes an image row by row, so that the horizontally resized rows stay in the cache and the resized image is never
/// stored. Can be used for further images of the same size.
class RowResizer {
 public:
  /// Throws kInvalidMedia on sizes outside [1, 65535].
  RowResizer(int32_t in_width, int32_t in_height, int32_t out_width, int32_t out_height, ResizeFilter filter,
             const MediaKernels& kernels = media_kernels());

  /// Starts an image [in_height, in_width, 3], which must outlive the row() calls.
  void start(const uint8_t* image);
  /// Row y of the resized image, [out_width, 3], valid until the next call. y must not decrease between start() calls.
  const uint8_t* row(int32_t y);

 private:
  /// Row r after the horizontal pass; rows before `first_needed` may be dropped.
  const uint8_t* horizontal_rows(int32_t first_needed, int32_t last_needed);
  void add_strip(int32_t first_needed);

  const MediaKernels& kernels_;
  int32_t in_height_;
  size_t in_row_bytes_;
  size_t out_row_bytes_;
  std::optional<ResizeAxis> horizontal_;  ///< absent: the axis keeps its size
  std::optional<ResizeAxis> vertical_;
  const uint8_t* image_ = nullptr;

  Buffer strip_in_;   ///< [in_width * 3, kStripRows]
  Buffer strip_out_;  ///< [out_width * 3, kStripRows]
  Buffer window_;     ///< horizontally resized rows [window_begin_, window_end_)
  int32_t window_rows_ = 0;
  int32_t window_begin_ = 0;
  int32_t window_end_ = 0;
  Buffer row_;
};

}  // namespace sensorium
