#include "ops/pooling.h"

#include "ops/parallel_rows.h"
#include "ops/shape_check.h"

namespace sensorium::ops {

void avg_pool_pairs(Backend& backend, ConstMatrix x, Matrix y) {
  check_shape("avg_pool_pairs", "y", y, x.rows / 2, x.cols);
  for_each_row(backend, y.rows, 2 * y.cols, [&](int64_t r) {
    const float* first = x.row(2 * r);
    const float* second = x.row(2 * r + 1);
    float* to = y.row(r);
    for (int64_t c = 0; c < y.cols; ++c) to[c] = (first[c] + second[c]) * 0.5F;
  });
}

}  // namespace sensorium::ops
