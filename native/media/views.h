#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "media/patchify.h"

namespace sensorium {

using Rgb = std::array<uint8_t, 3>;

/// A picture resized and laid on a canvas that is then cut into tiles in reading order. What sticks out of the canvas is cut
/// off; where the picture does not reach, the canvas has the background's colour.
struct View {
  ImageSize resized;
  int32_t top = 0, left = 0;  ///< place of the resized picture's corner on the canvas; may be negative
  ImageSize canvas;           ///< a multiple of the tile
  ImageSize tile;
  Rgb background{};
};

/// What is cut of a picture.
struct ViewPlan {
  std::optional<Rgb> square_background;  ///< where given, the picture is first centred on a square of this colour
  std::vector<View> views;
  std::optional<TileLayout> tiles;  ///< goes into the media as it is
};

/// An 8-bit picture of our own, [height, width, 3].
struct Canvas {
  Canvas(ImageSize size_, Rgb background);
  RgbView view() const { return {pixels.data(), size.width, size.height}; }

  ImageSize size;
  std::vector<uint8_t> pixels;
};

/// Throws kInvalidMedia on sizes that cannot be.
Canvas draw_view(const RgbView& picture, const View& view, ResizeFilter filter);

/// Cuts a picture's views, or those of each frame of a clip, into patch rows: views one after the other, tiles in reading
/// order, patches of a tile in reading order, each row [3, patch, patch]. Pixels of a tile that fill no patch are left out.
/// Reads patch_size, filter, rescale and normalise of `options`. The grid counts tiles, and patches of the last view's tiles.
/// Throws kInvalidMedia.
ProcessedMedia patchify_views(std::span<const RgbView> frames, const ViewPlan& plan, const PatchOptions& options,
                              Modality modality);

/// The whole picture at `size`, whatever its shape.
View squashed_view(ImageSize size);

/// How CLIP's processor looks at a picture: resized, then its middle.
struct ClipViewRules {
  std::optional<int32_t> shortest_edge;  ///< the shorter side becomes this; absent: the sides become `size`
  ImageSize size;
  std::optional<ImageSize> crop;  ///< the middle of this size is kept; a smaller picture is padded with black
};

/// Source: CLIPImageProcessor. Throws kInvalidMedia.
View clip_view(ImageSize image, const ClipViewRules& rules);

}  // namespace sensorium
