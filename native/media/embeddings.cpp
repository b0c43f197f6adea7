#include "media/embeddings.h"

#include <bit>
#include <cstring>
#include <string>

#include "core/error.h"

namespace sensorium {
namespace {

/// Without a branch, so that compilers make it wide.
bool are_finite(std::span<const float> values) {
  constexpr uint32_t exponent = 0x7f800000;
  uint32_t num_others = 0;
  for (const float value : values) num_others |= (std::bit_cast<uint32_t>(value) & exponent) == exponent ? 1U : 0U;
  return num_others == 0;
}

}  // namespace

ProcessedMedia take_embeddings(Modality modality, std::span<const float> rows, int64_t num_rows, PatchGrid grid,
                               float seconds_per_grid) {
  const auto num_values = static_cast<int64_t>(rows.size());
  if (num_rows < 1 || num_values < num_rows || num_values % num_rows != 0) {
    throw Error(ErrorCode::kInvalidArgument,
                std::to_string(num_values) + " values are not " + std::to_string(num_rows) + " rows");
  }
  ProcessedMedia media;
  media.modality = modality;
  media.grid_t = grid.t;
  media.grid_h = grid.h;
  media.grid_w = grid.w;
  media.seconds_per_grid = seconds_per_grid;
  media.embeddings = Tensor({num_rows, num_values / num_rows});
  std::memcpy(media.embeddings.data(), rows.data(), rows.size_bytes());
  // Of the copy: its owner may write to the source meanwhile.
  if (!are_finite({media.embeddings.data(), rows.size()})) {
    throw Error(ErrorCode::kInvalidMedia, "the embeddings hold NaN or infinite values");
  }
  return media;
}

}  // namespace sensorium
