#include "ops/elementwise.h"

#include <cstring>

#include "ops/parallel_rows.h"
#include "ops/shape_check.h"

namespace sensorium::ops {

void add(Backend& backend, ConstMatrix x, Matrix y) {
  check_shape("add", "y", y, x.rows, x.cols);
  backend.add(x, y);
}

void add_scaled(Backend& backend, ConstMatrix x, float alpha, Matrix y) {
  check_shape("add_scaled", "y", y, x.rows, x.cols);
  for_each_row(backend, x.rows, x.cols, [&](int64_t r) {
    const float* from = x.row(r);
    float* to = y.row(r);
    for (int64_t c = 0; c < x.cols; ++c) to[c] += alpha * from[c];
  });
}

void copy(Backend& backend, ConstMatrix x, Matrix y) {
  check_shape("copy", "y", y, x.rows, x.cols);
  const size_t row_bytes = static_cast<size_t>(x.cols) * sizeof(float);
  if (row_bytes == 0) return;
  for_each_row(backend, x.rows, x.cols, [&](int64_t r) { std::memcpy(y.row(r), x.row(r), row_bytes); });
}

}  // namespace sensorium::ops
