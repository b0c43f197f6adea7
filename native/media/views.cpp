#include "media/views.h"

#include <algorithm>
#include <cstring>
#include <string>

#include "core/error.h"
#include "media/row_resizer.h"

namespace sensorium {
namespace {

constexpr int64_t kMaxLevels = int64_t{1} << 31;
constexpr int32_t kMaxSide = 65535;

[[noreturn]] void refuse(const std::string& what) { throw Error(ErrorCode::kInvalidMedia, what); }

bool is_side(int32_t side) { return side >= 1 && side <= kMaxSide; }

void check_view(const View& view, int32_t patch_size) {
  const auto& [height, width] = view.canvas;
  if (!is_side(height) || !is_side(width) || !is_side(view.resized.height) || !is_side(view.resized.width)) {
    refuse("a picture of " + std::to_string(view.resized.width) + " x " + std::to_string(view.resized.height) + " on " +
           std::to_string(width) + " x " + std::to_string(height) + " pixels cannot be drawn");
  }
  const bool is_tiled = view.tile.height >= patch_size && view.tile.width >= patch_size && height % view.tile.height == 0 &&
                        width % view.tile.width == 0;
  if (!is_tiled) refuse("tiles do not divide a picture of " + std::to_string(width) + " x " + std::to_string(height));
}

struct TileCount {
  int64_t num_tiles;
  int32_t patches_h, patches_w;  ///< of one tile
  int64_t num_patches() const { return num_tiles * patches_h * patches_w; }
};

TileCount count_tiles(const View& view, int32_t patch_size) {
  const int64_t rows = view.canvas.height / view.tile.height, columns = view.canvas.width / view.tile.width;
  return {rows * columns, view.tile.height / patch_size, view.tile.width / patch_size};
}

Canvas on_square(const RgbView& picture, Rgb background) {
  const int32_t side = std::max(picture.width, picture.height);
  const int32_t top = (side - picture.height) / 2, left = (side - picture.width) / 2;
  return draw_view(picture, {{picture.height, picture.width}, top, left, {side, side}, {side, side}, background},
                   ResizeFilter::kBicubic);
}

/// The patch rows of a canvas, tile by tile.
uint8_t* write_tiles(const Canvas& canvas, ImageSize tile, int32_t patch_size, uint8_t* out) {
  const int64_t plane_size = static_cast<int64_t>(patch_size) * patch_size;
  for (int32_t tile_y = 0; tile_y < canvas.size.height; tile_y += tile.height) {
    for (int32_t tile_x = 0; tile_x < canvas.size.width; tile_x += tile.width) {
      for (int32_t y = tile_y; y + patch_size <= tile_y + tile.height; y += patch_size) {
        for (int32_t x = tile_x; x + patch_size <= tile_x + tile.width; x += patch_size, out += 3 * plane_size) {
          for (int64_t i = 0; i < plane_size; ++i) {
            const int64_t pixel = (y + i / patch_size) * canvas.size.width + x + i % patch_size;
            for (int64_t c = 0; c < 3; ++c) out[c * plane_size + i] = canvas.pixels[static_cast<size_t>(3 * pixel + c)];
          }
        }
      }
    }
  }
  return out;
}

void check_frames(std::span<const RgbView> frames) {
  if (frames.empty()) refuse("a video without frames");
  for (const RgbView& frame : frames) {
    if (frame.data == nullptr || !is_side(frame.width) || !is_side(frame.height)) refuse("a picture without pixels");
  }
}

}  // namespace

Canvas::Canvas(ImageSize size_, Rgb background) : size(size_), pixels(static_cast<size_t>(size_.height) * size_.width * 3) {
  if (background == Rgb{}) return;
  for (size_t i = 0; i < pixels.size(); ++i) pixels[i] = background[i % 3];
}

Canvas draw_view(const RgbView& picture, const View& view, ResizeFilter filter) {
  Canvas canvas(view.canvas, view.background);
  RowResizer resizer(picture.width, picture.height, view.resized.width, view.resized.height, filter);
  resizer.start(picture.data);
  const int32_t first_y = std::max(0, -view.top), end_y = std::min(view.resized.height, view.canvas.height - view.top);
  const int32_t first_x = std::max(0, -view.left), end_x = std::min(view.resized.width, view.canvas.width - view.left);
  if (end_x <= first_x) return canvas;
  for (int32_t y = first_y; y < end_y; ++y) {
    const int64_t pixel = static_cast<int64_t>(y + view.top) * view.canvas.width + first_x + view.left;
    std::memcpy(canvas.pixels.data() + 3 * pixel, resizer.row(y) + 3 * static_cast<int64_t>(first_x),
                3 * static_cast<size_t>(end_x - first_x));
  }
  return canvas;
}

ProcessedMedia patchify_views(std::span<const RgbView> frames, const ViewPlan& plan, const PatchOptions& options,
                              Modality modality) {
  check_patch_options(options);
  check_frames(frames);
  const int32_t patch_size = options.patch_size;
  int64_t num_patches = 0, num_tiles = 0;
  for (const View& view : plan.views) {
    check_view(view, patch_size);
    num_patches += count_tiles(view, patch_size).num_patches();
    num_tiles += count_tiles(view, patch_size).num_tiles;
  }
  const auto num_frames = static_cast<int64_t>(frames.size());
  if (plan.views.empty() || num_patches > kMaxLevels / (3 * patch_size * patch_size) / num_frames) {
    refuse("a picture of no or too many patches");
  }
  ProcessedMedia media;
  media.modality = modality;
  media.tiles = plan.tiles;
  media.grid_t = static_cast<int32_t>(num_tiles * num_frames);
  const TileCount last = count_tiles(plan.views.back(), patch_size);
  media.grid_h = last.patches_h;
  media.grid_w = last.patches_w;
  media.patches = Patches(num_patches * num_frames, 1, 1, patch_size, make_level_table(options));
  uint8_t* out = media.patches.levels();
  for (const RgbView& frame : frames) {
    std::optional<Canvas> square;
    if (plan.square_background) square = on_square(frame, *plan.square_background);
    for (const View& view : plan.views) {
      out = write_tiles(draw_view(square ? square->view() : frame, view, options.filter), view.tile, patch_size, out);
    }
  }
  return media;
}

View squashed_view(ImageSize size) { return {size, 0, 0, size, size, {}}; }

View clip_view(ImageSize image, const ClipViewRules& rules) {
  View view = squashed_view(rules.size);
  if (rules.shortest_edge) {
    const int64_t edge = *rules.shortest_edge;
    const auto longer = edge * std::max(image.height, image.width) / std::min(image.height, image.width);
    if (longer > kMaxSide) refuse("a picture whose sides differ that much cannot be resized");
    const auto shorter_side = static_cast<int32_t>(edge), longer_side = static_cast<int32_t>(longer);
    view.resized = image.height <= image.width ? ImageSize{shorter_side, longer_side} : ImageSize{longer_side, shorter_side};
  }
  view.canvas = rules.crop.value_or(view.resized);
  view.tile = view.canvas;
  // Python's floor: what is smaller than the crop is padded by one pixel more at its end.
  const auto middle = [](int32_t outer, int32_t inner) {
    return outer >= inner ? -((outer - inner) / 2) : (inner - outer + 1) / 2;
  };
  view.top = middle(view.resized.height, view.canvas.height);
  view.left = middle(view.resized.width, view.canvas.width);
  return view;
}

}  // namespace sensorium
