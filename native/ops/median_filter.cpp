#include "ops/median_filter.h"

#include <algorithm>
#include <array>
#include <cstring>

#include "ops/parallel_rows.h"
#include "ops/shape_check.h"

namespace sensorium::ops {
namespace {

/// Neighbouring windows whose elements are sorted side by side.
using Lanes = float __attribute__((vector_size(16)));
constexpr int64_t kLanes = sizeof(Lanes) / sizeof(float);

/// Puts the lower of each two elements first.
void sort_pairs(Lanes& first, Lanes& second) {
  const auto is_wrong = second < first;
  const Lanes lower = is_wrong ? second : first;
  second = is_wrong ? first : second;
  first = lower;
}

/// Medians of kLanes neighbouring windows, of which `count` are there. Row i is element i of all of them: each pass brings the
/// lowest of the elements that are left to the front.
void take_medians(const float* x, int64_t width, int64_t count, float* y) {
  std::array<Lanes, kMaxMedianWidth> rows;
  const auto size = static_cast<size_t>(width), half = size / 2;
  const auto num_bytes = static_cast<size_t>(count) * sizeof(float);
  for (size_t i = 0; i < size; ++i) {
    rows[i] = Lanes{};
    std::memcpy(&rows[i], x + i, num_bytes);
  }
  for (size_t front = 0; front <= half; ++front) {
    for (size_t i = size - 1; i > front; --i) sort_pairs(rows[i - 1], rows[i]);
  }
  std::memcpy(y, &rows[half], num_bytes);
}

void filter_row(const float* x, int64_t width, int64_t count, float* y) {
  int64_t c = 0;
  for (; c + kLanes <= count; c += kLanes) take_medians(x + c, width, kLanes, y + c);
  if (c < count) take_medians(x + c, width, count - c, y + c);
}

}  // namespace

void median_filter(Backend& backend, ConstMatrix x, int64_t width, Matrix y) {
  constexpr std::string_view kOp = "median_filter";
  check_index(kOp, "width", width, 1, kMaxMedianWidth + 1);
  check(width % 2 == 1, kOp, "width is even");
  check_shape(kOp, "y", y, x.rows, x.cols - width + 1);
  for_each_row(backend, y.rows, y.cols * width, [&](int64_t r) { filter_row(x.row(r), width, y.cols, y.row(r)); });
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
