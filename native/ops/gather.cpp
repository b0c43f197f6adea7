#include "ops/gather.h"

#include <cstring>

#include "ops/parallel_rows.h"
#include "ops/shape_check.h"

namespace sensorium::ops {
namespace {

/// Checks operands of which `grouped` is addressed by the indices and `listed` has a group for each index, in order.
void check_groups(std::string_view op, std::span<const int32_t> indices, int64_t group_size, ConstMatrix grouped,
                  ConstMatrix listed) {
  check(group_size > 0, op, "group_size must be positive");
  check_equal(op, "columns of y", listed.cols, grouped.cols);
  check_equal(op, "rows of the listed groups", listed.rows, static_cast<int64_t>(indices.size()) * group_size);
  for (const int32_t index : indices) check_index(op, "group index", index, 0, grouped.rows / group_size);
}

}  // namespace

void gather_rows(Backend& backend, ConstMatrix x, std::span<const int32_t> indices, int64_t group_size, Matrix y) {
  check_groups("gather_rows", indices, group_size, x, y);
  const size_t row_bytes = static_cast<size_t>(x.cols) * sizeof(float);
  if (row_bytes == 0) return;
  for_each_row(backend, y.rows, y.cols, [&](int64_t r) {
    const int64_t source = indices[static_cast<size_t>(r / group_size)] * group_size + r % group_size;
    std::memcpy(y.row(r), x.row(source), row_bytes);
  });
}

void scatter_rows(Backend& backend, ConstMatrix x, std::span<const int32_t> indices, int64_t group_size, Matrix y) {
  check_groups("scatter_rows", indices, group_size, y, x);
  const size_t row_bytes = static_cast<size_t>(x.cols) * sizeof(float);
  if (row_bytes == 0) return;
  for_each_row(backend, x.rows, x.cols, [&](int64_t r) {
    const int64_t target = indices[static_cast<size_t>(r / group_size)] * group_size + r % group_size;
    std::memcpy(y.row(target), x.row(r), row_bytes);
  });
}

void scatter_add_rows(Backend& backend, ConstMatrix x, std::span<const int32_t> indices, std::span<const float> scales,
                      Matrix y) {
  check_groups("scatter_add_rows", indices, 1, y, x);
  check_equal("scatter_add_rows", "scales", static_cast<int64_t>(scales.size()), x.rows);
  for_each_row(backend, x.rows, x.cols, [&](int64_t r) {
    const float* from = x.row(r);
    float* to = y.row(indices[static_cast<size_t>(r)]);
    const float scale = scales[static_cast<size_t>(r)];
    for (int64_t c = 0; c < x.cols; ++c) to[c] += scale * from[c];
  });
}

}  // namespace sensorium::ops
