#pragma once

#include <span>

#include "core/media_input.h"

namespace sensorium {

/// Temporal, height and width patches of a picture or clip; zeros for a sound.
struct PatchGrid {
  int32_t t = 0, h = 0, w = 0;
};

/// Copies ready-made encoder rows, [num_rows, rows.size() / num_rows]. Throws kInvalidArgument when `rows` is empty or no whole
/// number of rows, kInvalidMedia on a NaN or an infinity.
ProcessedMedia take_embeddings(Modality modality, std::span<const float> rows, int64_t num_rows, PatchGrid grid,
                               float seconds_per_grid);

}  // namespace sensorium
