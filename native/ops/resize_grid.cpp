#include "ops/resize_grid.h"

#include <algorithm>

#include "ops/parallel_rows.h"
#include "ops/shape_check.h"

namespace sensorium::ops {
namespace {

/// The two neighbours of a place and the weight of the second.
struct Neighbours {
  int64_t first, second;
  float weight;
};

Neighbours neighbours_of(int64_t place, int64_t from, int64_t to) {
  const float scale = static_cast<float>(from) / static_cast<float>(to);
  const float center = std::max(scale * (static_cast<float>(place) + 0.5F) - 0.5F, 0.0F);
  const auto first = std::min(static_cast<int64_t>(center), from - 1);
  return {first, std::min(first + 1, from - 1), center - static_cast<float>(first)};
}

}  // namespace

void resize_grid(Backend& backend, ConstMatrix x, GridSize from, GridSize to, Matrix y) {
  constexpr std::string_view kOp = "resize_grid";
  check(from.height > 0 && from.width > 0 && to.height > 0 && to.width > 0, kOp, "a grid is empty");
  check_equal(kOp, "rows of x", x.rows, from.num_cells());
  check_shape(kOp, "y", y, to.num_cells(), x.cols);
  for_each_row(backend, y.rows, 4 * y.cols, [&](int64_t r) {
    const Neighbours v = neighbours_of(r / to.width, from.height, to.height);
    const Neighbours h = neighbours_of(r % to.width, from.width, to.width);
    const float* top_left = x.row(v.first * from.width + h.first);
    const float* top_right = x.row(v.first * from.width + h.second);
    const float* bottom_left = x.row(v.second * from.width + h.first);
    const float* bottom_right = x.row(v.second * from.width + h.second);
    for (int64_t c = 0; c < y.cols; ++c) {
      const float top = (1.0F - h.weight) * top_left[c] + h.weight * top_right[c];
      const float bottom = (1.0F - h.weight) * bottom_left[c] + h.weight * bottom_right[c];
      y.row(r)[c] = (1.0F - v.weight) * top + v.weight * bottom;
    }
  });
}

}  // namespace sensorium::ops
