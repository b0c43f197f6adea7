#include "ops/time_warp.h"

#include <limits>

#include "ops/shape_check.h"

namespace sensorium::ops {
namespace {

/// How a path came to an element.
enum class Step : uint8_t { kBoth, kRow, kColumn };

Step cheapest(double both, double row, double column) {
  if (both < row && both < column) return Step::kBoth;
  return row < both && row < column ? Step::kRow : Step::kColumn;
}

/// The last step of the best path to each element, [rows * cols].
std::vector<Step> best_steps(ConstMatrix gains) {
  constexpr double kUnreachable = std::numeric_limits<double>::infinity();
  const auto num_columns = static_cast<size_t>(gains.cols);
  std::vector<Step> steps(static_cast<size_t>(gains.rows) * num_columns);
  // Costs of the best paths to a row's elements, behind one more element that none reaches.
  std::vector<double> above(num_columns + 1, kUnreachable), costs(num_columns + 1, kUnreachable);
  above[0] = 0;
  for (int64_t r = 0; r < gains.rows; ++r) {
    Step* row_steps = steps.data() + static_cast<size_t>(r) * num_columns;
    for (size_t c = 0; c < num_columns; ++c) {
      const double before[] = {above[c], above[c + 1], costs[c]};
      const Step step = cheapest(before[0], before[1], before[2]);
      row_steps[c] = step;
      costs[c + 1] = before[static_cast<size_t>(step)] - static_cast<double>(gains.row(r)[c]);
    }
    above.swap(costs);
    costs[0] = kUnreachable;
  }
  return steps;
}

}  // namespace

std::vector<int32_t> time_warp(ConstMatrix gains) {
  check(gains.rows > 0 && gains.cols > 0, "time_warp", "there are no elements");
  const std::vector<Step> steps = best_steps(gains);
  std::vector<int32_t> first_columns(static_cast<size_t>(gains.rows));
  for (int64_t r = gains.rows - 1, c = gains.cols - 1; r >= 0 && c >= 0;) {
    first_columns[static_cast<size_t>(r)] = static_cast<int32_t>(c);
    const Step step = steps[static_cast<size_t>(r * gains.cols + c)];
    // At an edge there is one way back, whatever gains that are no numbers made of the costs.
    const bool leaves_row = r > 0 && (step != Step::kColumn || c == 0);
    const bool leaves_column = c > 0 && (step != Step::kRow || r == 0);
    if (leaves_row) --r;
    if (leaves_column) --c;
    if (!leaves_row && !leaves_column) break;
  }
  return first_columns;
}

}  // namespace sensorium::ops
