#pragma once

#include "media/views.h"

namespace sensorium {

/// How Phi-3.5-vision cuts a picture.
struct HdRules {
  int32_t num_crops = 4;  ///< at most so many tiles
  int32_t tile = 336;     ///< side of a tile and of the overview
};

/// How a picture that is at least as wide as high is drawn: whole tiles in width, padded with white in height. Of a portrait
/// the transposed picture is. Throws kInvalidMedia, kInvalidArgument.
View plan_hd(ImageSize landscape, const HdRules& rules);

/// The picture resized to whole tiles in width (portraits are transposed meanwhile), padded with white in height, cut into
/// tiles; before them an overview: the normalised padded picture, interpolated to one tile (bicubic, a = -0.75, no antialias),
/// as floats. Source: Phi3VImageProcessor. Throws kInvalidMedia, kInvalidArgument.
ProcessedMedia hd_transform(const RgbView& image, const HdRules& rules, const PatchOptions& options);

}  // namespace sensorium
