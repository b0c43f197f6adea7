#include "models/llava_onevision/vision.h"

#include <algorithm>
#include <vector>

#include "core/error.h"
#include "ops/elementwise.h"
#include "ops/gather.h"
#include "ops/resize_grid.h"

namespace sensorium {
namespace {

void check_layout(const TileLayout& layout, int64_t num_pictures, int64_t side) {
  const int64_t height = layout.rows * side, width = layout.columns * side;
  const bool is_inside = layout.kept_top >= 0 && layout.kept_left >= 0 && layout.kept_h >= 0 && layout.kept_w >= 0 &&
                         layout.kept_top + layout.kept_h <= height && layout.kept_left + layout.kept_w <= width;
  const bool is_packed = layout.packed_h >= 0 && layout.packed_w >= 0 && layout.packed_h <= height &&
                         layout.packed_w <= width && (layout.packed_h == 0) == (layout.kept_h == 0) &&
                         (layout.packed_w == 0) == (layout.kept_w == 0);
  if (layout.num_tiles() + 1 == num_pictures && is_inside && is_packed) return;
  throw Error(ErrorCode::kInvalidMedia, "the layout of a picture's tiles does not agree with their number");
}

/// Rows of the kept patches in reading order of the whole picture; tiles come one after the other.
std::vector<int32_t> kept_patches(const TileLayout& layout, int64_t side) {
  std::vector<int32_t> rows;
  for (int64_t y = layout.kept_top; y < layout.kept_top + layout.kept_h; ++y) {
    for (int64_t x = layout.kept_left; x < layout.kept_left + layout.kept_w; ++x) {
      const int64_t tile = y / side * layout.columns + x / side;
      rows.push_back(static_cast<int32_t>((tile * side + y % side) * side + x % side));
    }
  }
  return rows;
}

}  // namespace

OnevisionVision::OnevisionVision(ProjectedVit tower, WeightLoader& loader)
    : backend_(loader.backend()), tower_(std::move(tower)), newline_(loader.vector("image_newline", tower_.width())) {}

int64_t OnevisionVision::num_rows(const ProcessedMedia& media) const {
  const int64_t num_pictures = tower_.count_pictures(media), num_patches = side() * side();
  if (media.modality == Modality::kVideo) return num_pictures * pooled_side() * pooled_side() + 1;
  if (media.tiles) {
    check_layout(*media.tiles, num_pictures, side());
    return num_patches + int64_t{media.tiles->packed_h} * (media.tiles->packed_w + 1);
  }
  if (num_pictures == 1) return num_patches + 1;
  throw Error(ErrorCode::kInvalidMedia, "a picture of several tiles without their layout");
}

Tensor OnevisionVision::encode(const ProcessedMedia& media, Arena& arena) const {
  Tensor output({num_rows(media), width()});
  const Matrix rows(output.data(), output.shape()[0], width());
  const int64_t num_patches = side() * side();
  Arena::Scope scope(arena);
  const Matrix patches = arena.matrix(media.grid_t * num_patches, width());
  tower_.forward(backend_, media, arena, patches);
  if (media.modality == Modality::kVideo) {
    pack_frames(patches, rows);
    return output;
  }
  ops::copy(backend_, patches.row_range(0, num_patches), rows.row_range(0, num_patches));
  if (media.tiles) {
    pack_tiles(patches.row_range(num_patches, patches.rows - num_patches), *media.tiles, arena,
               rows.row_range(num_patches, rows.rows - num_patches));
  } else {
    write_newline(rows.row(num_patches));
  }
  return output;
}

void OnevisionVision::pack_tiles(ConstMatrix patches, const TileLayout& layout, Arena& arena, Matrix output) const {
  if (layout.kept_h == 0 || layout.kept_w == 0) {  // a picture thinner than a patch: at most the ends of empty lines
    for (int64_t y = 0; y < layout.packed_h; ++y) write_newline(output.row(y));
    return;
  }
  Arena::Scope scope(arena);
  const Matrix kept = arena.matrix(int64_t{layout.kept_h} * layout.kept_w, width());
  ops::gather_rows(backend_, patches, kept_patches(layout, side()), 1, kept);
  Matrix packed = kept;
  if (layout.packed_h != layout.kept_h || layout.packed_w != layout.kept_w) {
    packed = arena.matrix(int64_t{layout.packed_h} * layout.packed_w, width());
    ops::resize_grid(backend_, kept, {layout.kept_h, layout.kept_w}, {layout.packed_h, layout.packed_w}, packed);
  }
  for (int64_t y = 0; y < layout.packed_h; ++y) {
    const int64_t first = y * (layout.packed_w + 1);
    ops::copy(backend_, packed.row_range(y * layout.packed_w, layout.packed_w), output.row_range(first, layout.packed_w));
    write_newline(output.row(first + layout.packed_w));
  }
}

void OnevisionVision::pack_frames(ConstMatrix patches, Matrix output) const {
  const int64_t num_patches = side() * side(), num_pooled = pooled_side() * pooled_side();
  for (int64_t frame = 0; frame < patches.rows / num_patches; ++frame) {
    ops::resize_grid(backend_, patches.row_range(frame * num_patches, num_patches), {side(), side()},
                     {pooled_side(), pooled_side()}, output.row_range(frame * num_pooled, num_pooled));
  }
  write_newline(output.row(output.rows - 1));
}

void OnevisionVision::write_newline(float* row) const { std::copy_n(newline_.data(), width(), row); }

}  // namespace sensorium
