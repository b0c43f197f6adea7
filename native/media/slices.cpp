#include "media/slices.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <optional>

#include "core/error.h"

namespace sensorium {
namespace {

constexpr int32_t kMaxSlices = 1024;

/// The nearest multiple, half to even, one at least.
int32_t nearest_multiple(double length, int32_t factor) {
  return std::max(static_cast<int32_t>(std::nearbyint(length / factor)) * factor, factor);
}

ImageSize best_resize(double height, double width, const SliceRules& rules, bool may_grow) {
  const double side = rules.scale_resolution;
  if (width * height > side * side || may_grow) {
    const double ratio = width / height;
    height = std::trunc(side / std::sqrt(ratio));
    width = std::trunc(height * ratio);
  }
  return {nearest_multiple(height, rules.patch_size), nearest_multiple(width, rules.patch_size)};
}

struct SliceGrid {
  int32_t rows = 1, columns = 1;
};

/// The grid of about as many slices as the picture has areas; absent: one is enough.
std::optional<SliceGrid> best_grid(ImageSize image, const SliceRules& rules) {
  const double height = image.height, width = image.width, side = rules.scale_resolution;
  const double areas = std::min(std::ceil(width * height / (side * side)), static_cast<double>(rules.max_slices));
  if (areas <= 1.0) return std::nullopt;
  const auto wanted = static_cast<int32_t>(areas);
  SliceGrid best;
  double least_error = std::numeric_limits<double>::infinity();
  for (int32_t count = wanted - 1; count <= wanted + 1; ++count) {
    if (count == 1 || count > rules.max_slices) continue;
    for (int32_t columns = 1; columns <= count; ++columns) {
      if (count % columns != 0) continue;
      const int32_t rows = count / columns;
      const double error = std::fabs(std::log(width / height) - std::log(static_cast<double>(columns) / rows));
      if (error >= least_error) continue;
      best = {rows, columns};
      least_error = error;
    }
  }
  return best;
}

View sliced_view(ImageSize image, SliceGrid grid, const SliceRules& rules) {
  const int32_t height = nearest_multiple(image.height, grid.rows), width = nearest_multiple(image.width, grid.columns);
  const ImageSize slice =
      best_resize(static_cast<double>(height) / grid.rows, static_cast<double>(width) / grid.columns, rules, true);
  View view = squashed_view({slice.height * grid.rows, slice.width * grid.columns});
  view.tile = slice;
  return view;
}

}  // namespace

ViewPlan plan_slices(ImageSize image, const SliceRules& rules) {
  if (rules.max_slices < 1 || rules.max_slices > kMaxSlices || rules.patch_size < 1 ||
      rules.scale_resolution < rules.patch_size) {
    throw Error(ErrorCode::kInvalidArgument, "the number or the size of slices is out of its range");
  }
  if (image.height < 1 || image.width < 1) throw Error(ErrorCode::kInvalidMedia, "a picture without pixels");
  const std::optional<SliceGrid> grid = best_grid(image, rules);
  const ImageSize whole = best_resize(image.height, image.width, rules, !grid);
  ViewPlan plan;
  plan.views.push_back(squashed_view(whole));
  plan.tiles.emplace();
  plan.tiles->overview_h = whole.height / rules.patch_size;
  plan.tiles->overview_w = whole.width / rules.patch_size;
  if (grid) {
    plan.views.push_back(sliced_view(image, *grid, rules));
    plan.tiles->rows = grid->rows;
    plan.tiles->columns = grid->columns;
  }
  return plan;
}

}  // namespace sensorium
