#pragma once

#include <vector>

#include "media/views.h"

namespace sensorium {

/// How LLaVA-OneVision cuts one picture.
struct AnyresRules {
  std::vector<ImageSize> pinpoints;  ///< sizes to choose from, multiples of the tile
  int32_t tile = 384;                ///< side of a tile and of the overview
  int32_t patch_size = 14;
  int32_t max_tiles = 9;  ///< features of more tiles than this are shrunk
};

/// The whole picture squashed to a tile, then the picture at the best of the sizes, padded with black and cut into tiles.
/// Source: LlavaOnevisionImageProcessor and pack_image_features of Hugging Face. Throws kInvalidMedia, kInvalidArgument.
ViewPlan plan_anyres(ImageSize image, const AnyresRules& rules);

}  // namespace sensorium
