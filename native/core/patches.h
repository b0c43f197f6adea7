#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include "core/tensor.h"

namespace sensorium {

/// What each 8-bit level of each of three channels becomes: rescaled and normalised.
using LevelTable = std::array<std::array<float, 256>, 3>;

/// Pictures cut into the rows of a patch embedding, kept as the 8-bit levels that they were made from. A row of floats is
/// [3, temporal_patch_size, patch_size * patch_size]; of a still picture, which is one frame repeated, that frame is kept once.
class Patches {
 public:
  Patches() = default;
  /// Levels are not initialised. Throws kInvalidArgument unless num_frames is 1 or temporal_patch_size.
  Patches(int64_t num_rows, int32_t temporal_patch_size, int32_t num_frames, int32_t patch_size, const LevelTable& values);

  bool empty() const { return levels_.data() == nullptr; }
  /// Of the rows of floats: [num_rows, 3 * temporal_patch_size * patch_size * patch_size].
  Shape shape() const { return {num_rows_, 3 * temporal_patch_size_ * plane_size_}; }
  size_t size_bytes() const { return levels_.size_bytes() + (empty() ? 0 : sizeof(LevelTable)); }

  /// Stored levels, [num_rows, 3, num_frames, patch_size * patch_size].
  uint8_t* levels() { return static_cast<uint8_t*>(levels_.data()); }
  const uint8_t* levels() const { return static_cast<const uint8_t*>(levels_.data()); }

  /// Rows [first_row, first_row + out.rows) as floats. Throws kInvalidArgument when `out` has other columns or more rows.
  void expand(int64_t first_row, Matrix out) const;

 private:
  int64_t num_rows_ = 0;
  int64_t temporal_patch_size_ = 0;
  int64_t num_frames_ = 0;  ///< stored of each row
  int64_t plane_size_ = 0;  ///< pixels of one frame of a patch
  Buffer levels_;
  LevelTable values_{};
};

}  // namespace sensorium
