#include "ops/activation.h"

#include <algorithm>
#include <cmath>

#include "ops/parallel_rows.h"
#include "ops/shape_check.h"

namespace sensorium::ops {

void activate(Backend& backend, ConstMatrix x, Activation activation, Matrix y) {
  check_shape("activate", "y", y, x.rows, x.cols);
  backend.activate(x, activation, y);
}

void softmax(Backend& backend, ConstMatrix x, Matrix y) {
  check(x.cols > 0, "softmax", "x has no columns");
  check_shape("softmax", "y", y, x.rows, x.cols);
  for_each_row(backend, x.rows, x.cols, [&](int64_t r) {
    const float* from = x.row(r);
    float* to = y.row(r);
    const float highest = *std::max_element(from, from + x.cols);
    double sum = 0;
    for (int64_t c = 0; c < x.cols; ++c) {
      to[c] = std::exp(from[c] - highest);
      sum += to[c];
    }
    const auto scale = static_cast<float>(1.0 / sum);
    for (int64_t c = 0; c < x.cols; ++c) to[c] *= scale;
  });
}

}  // namespace sensorium::ops
