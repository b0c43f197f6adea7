#include "layers/position_grid.h"

#include <algorithm>
#include <string>
#include <vector>

#include "ops/parallel_rows.h"

namespace sensorium {
namespace {

/// A place between two neighbours of the table.
struct Blend {
  int64_t low = 0, high = 0;
  float high_share = 0.0F;
};

/// Places of `count` patches along a side of `side` positions: from the first to the last, evenly, as torch.linspace has them.
std::vector<Blend> spread(int64_t count, int64_t side) {
  std::vector<Blend> blends(static_cast<size_t>(count));
  const auto last = static_cast<float>(side - 1);
  const float step = count > 1 ? last / static_cast<float>(count - 1) : 0.0F;
  for (int64_t i = 0; i < count; ++i) {
    const float place = i < (count + 1) / 2 ? step * static_cast<float>(i) : last - step * static_cast<float>(count - 1 - i);
    const auto low = std::clamp(static_cast<int64_t>(place), int64_t{0}, side - 1);
    blends[static_cast<size_t>(i)] = {low, std::min(low + 1, side - 1), place - static_cast<float>(low)};
  }
  return blends;
}

}  // namespace

PositionGrid PositionGrid::load(WeightLoader& loader, std::string_view name, int64_t side, int64_t size) {
  return {loader.tensor(std::string(name) + ".weight", {side * side, size}), side};
}

void PositionGrid::add(Backend& backend, const Places& places, Matrix hidden) const {
  const std::vector<Blend> vertical = spread(places.height, side_), horizontal = spread(places.width, side_);
  ops::for_each_row(backend, hidden.rows, 4 * hidden.cols, [&](int64_t r) {
    const Blend& v = vertical[static_cast<size_t>(places.rows[static_cast<size_t>(r)])];
    const Blend& h = horizontal[static_cast<size_t>(places.columns[static_cast<size_t>(r)])];
    const auto position = [&](int64_t y, int64_t x) { return table_.data() + (y * side_ + x) * hidden.cols; };
    const float *top_left = position(v.low, h.low), *top_right = position(v.low, h.high);
    const float *bottom_left = position(v.high, h.low), *bottom_right = position(v.high, h.high);
    const float weights[] = {(1.0F - v.high_share) * (1.0F - h.high_share), (1.0F - v.high_share) * h.high_share,
                             v.high_share * (1.0F - h.high_share), v.high_share * h.high_share};
    float* row = hidden.row(r);
    for (int64_t c = 0; c < hidden.cols; ++c) {
      row[c] +=
          weights[0] * top_left[c] + weights[1] * top_right[c] + weights[2] * bottom_left[c] + weights[3] * bottom_right[c];
    }
  });
}

}  // namespace sensorium
