#include "ops/median_filter.h"

#include <algorithm>
#include <array>

#include "ops/parallel_rows.h"
#include "ops/shape_check.h"

namespace sensorium::ops {
namespace {

/// Columns whose windows are sorted side by side.
constexpr int64_t kLanes = 16;
using Lanes = std::array<float, kLanes>;

/// Medians of `count` neighbouring windows. Row i of `windows` is element i of all of them: each pass brings the lowest of
/// the elements that are left to the front.
void take_medians(const float* x, int64_t width, int64_t count, float* y) {
  std::array<Lanes, kMaxMedianWidth> windows;
  const auto size = static_cast<size_t>(width), half = size / 2;
  for (size_t i = 0; i < size; ++i) {
    windows[i] = {};
    std::copy_n(x + i, count, windows[i].begin());
  }
  for (size_t front = 0; front <= half; ++front) {
    for (size_t i = size - 1; i > front; --i) {
      for (size_t lane = 0; lane < kLanes; ++lane) {
        const float a = windows[i - 1][lane], b = windows[i][lane];
        windows[i - 1][lane] = b < a ? b : a;
        windows[i][lane] = b < a ? a : b;
      }
    }
  }
  std::copy_n(windows[half].begin(), count, y);
}

}  // namespace

void median_filter(Backend& backend, ConstMatrix x, int64_t width, Matrix y) {
  constexpr std::string_view kOp = "median_filter";
  check_index(kOp, "width", width, 1, kMaxMedianWidth + 1);
  check(width % 2 == 1, kOp, "width is even");
  check_shape(kOp, "y", y, x.rows, x.cols - width + 1);
  for_each_row(backend, y.rows, y.cols * width, [&](int64_t r) {
    for (int64_t c = 0; c < y.cols; c += kLanes) {
      take_medians(x.row(r) + c, width, std::min(kLanes, y.cols - c), y.row(r) + c);
    }
  });
}

void mirror_edges(Backend& backend, Matrix x, int64_t width) {
  check(width >= 0 && x.cols - 2 * width > width, "mirror_edges", "there is too little to mirror");
  for_each_row(backend, x.rows, 2 * width, [&](int64_t r) {
    float* first = x.row(r) + width;
    float* last = x.row(r) + x.cols - 1 - width;
    for (int64_t i = 1; i <= width; ++i) {
      first[-i] = first[i];
      last[i] = last[-i];
    }
  });
}

}  // namespace sensorium::ops
