#include "core/patches.h"

#include <algorithm>
#include <cstring>
#include <string>

#include "core/error.h"

namespace sensorium {
namespace {

size_t checked_bytes(int64_t num_rows, int64_t temporal_patch_size, int64_t num_frames, int64_t patch_size) {
  if (patch_size < 1 || num_frames < 1 || (num_frames != 1 && num_frames != temporal_patch_size)) {
    throw Error(ErrorCode::kInvalidArgument, "patches of " + std::to_string(patch_size) + " pixels hold " +
                                                 std::to_string(num_frames) + " of " + std::to_string(temporal_patch_size) +
                                                 " frames");
  }
  return static_cast<size_t>(num_elements({num_rows, 3, num_frames, patch_size, patch_size}));
}

}  // namespace

Patches::Patches(int64_t num_rows, int32_t temporal_patch_size, int32_t num_frames, int32_t patch_size,
                 const LevelTable& values)
    : num_rows_(num_rows),
      temporal_patch_size_(temporal_patch_size),
      num_frames_(num_frames),
      plane_size_(static_cast<int64_t>(patch_size) * patch_size),
      levels_(checked_bytes(num_rows, temporal_patch_size, num_frames, patch_size)),
      values_(values) {}

void Patches::expand(int64_t first_row, Matrix out) const {
  const int64_t channel_size = num_frames_ * plane_size_,
                num_repeats = temporal_patch_size_ / std::max<int64_t>(num_frames_, 1);
  if (out.cols != shape()[1] || first_row < 0 || out.rows > num_rows_ - first_row) {
    throw Error(ErrorCode::kInvalidArgument, "rows of " + std::to_string(out.cols) + " floats from " +
                                                 std::to_string(first_row) + " on do not lie in patches " +
                                                 shape_to_string(shape()));
  }
  const uint8_t* levels = this->levels() + first_row * 3 * channel_size;
  for (int64_t r = 0; r < out.rows; ++r) {
    float* values = out.row(r);
    for (const std::array<float, 256>& table : values_) {
      for (int64_t i = 0; i < channel_size; ++i) values[i] = table[levels[i]];
      levels += channel_size;
      for (int64_t copy = 1; copy < num_repeats; ++copy) {
        std::memcpy(values + copy * channel_size, values, static_cast<size_t>(channel_size) * sizeof(float));
      }
      values += num_repeats * channel_size;
    }
  }
}

}  // namespace sensorium
