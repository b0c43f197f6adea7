#include "ops/norm.h"

#include <algorithm>
#include <cmath>

#include "ops/parallel_rows.h"
#include "ops/shape_check.h"

namespace sensorium::ops {

void rms_norm(Backend& backend, ConstMatrix x, const Tensor& weight, float eps, Matrix y) {
  check_shape("rms_norm", "weight", weight, {x.cols});
  check_shape("rms_norm", "y", y, x.rows, x.cols);
  backend.rms_norm(x, weight.data(), eps, y);
}

void rms_norm_heads(Backend& backend, Matrix x, int64_t num_heads, const Tensor& weight, float eps) {
  check(num_heads > 0, "rms_norm_heads", "num_heads must be positive");
  const int64_t head_dim = x.cols / num_heads;
  check_equal("rms_norm_heads", "columns of x", x.cols, num_heads * head_dim);
  check_shape("rms_norm_heads", "weight", weight, {head_dim});
  const auto normalize = [&](Matrix heads) { backend.rms_norm(heads, weight.data(), eps, heads); };
  if (x.row_stride == x.cols) {
    normalize({x.data, x.rows * num_heads, head_dim});
  } else if (x.rows <= num_heads) {
    for (int64_t r = 0; r < x.rows; ++r) normalize({x.row(r), num_heads, head_dim});
  } else {
    for (int64_t h = 0; h < num_heads; ++h) normalize(x.columns(h * head_dim, head_dim));
  }
}

void layer_norm(Backend& backend, ConstMatrix x, const Tensor& weight, const Tensor& bias, float eps, Matrix y) {
  check_shape("layer_norm", "weight", weight, {x.cols});
  check_shape("layer_norm", "bias", bias, {x.cols});
  check_shape("layer_norm", "y", y, x.rows, x.cols);
  backend.layer_norm(x, weight.data(), bias.data(), eps, y);
}

void l2_normalize(Backend& backend, Matrix x, float eps) {
  for_each_row(backend, x.rows, x.cols, [&](int64_t r) {
    float* row = x.row(r);
    double squares = 0;
    for (int64_t c = 0; c < x.cols; ++c) squares += static_cast<double>(row[c]) * row[c];
    const auto length = std::max(static_cast<float>(std::sqrt(squares)), eps);
    for (int64_t c = 0; c < x.cols; ++c) row[c] /= length;
  });
}

}  // namespace sensorium::ops
