#include "ops/norm.h"

#include <algorithm>
#include <array>
#include <cmath>

#include "ops/parallel_rows.h"
#include "ops/shape_check.h"

namespace sensorium::ops {
namespace {

/// Columns that one task standardizes side by side.
constexpr int64_t kColumnChunk = 64;

void standardize_chunk(Matrix x) {
  std::array<double, kColumnChunk> means{}, scales{};
  const auto for_all = [&](auto&& body) {
    for (int64_t r = 0; r < x.rows; ++r) {
      for (int64_t c = 0; c < x.cols; ++c) body(x.row(r)[c], static_cast<size_t>(c));
    }
  };
  const auto num_rows = static_cast<double>(x.rows);
  for_all([&](float value, size_t c) { means[c] += static_cast<double>(value) / num_rows; });
  for_all([&](float value, size_t c) { scales[c] += (value - means[c]) * (value - means[c]) / num_rows; });
  for (double& scale : scales) scale = scale > 0 ? 1 / std::sqrt(scale) : 0;
  for_all([&](float& value, size_t c) { value = scales[c] > 0 ? static_cast<float>((value - means[c]) * scales[c]) : 0.0F; });
}

}  // namespace

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

void standardize_columns(Backend& backend, Matrix x) {
  const int64_t num_chunks = (x.cols + kColumnChunk - 1) / kColumnChunk;
  for_each_row(backend, num_chunks, x.rows * kColumnChunk, [&](int64_t i) {
    const int64_t begin = i * kColumnChunk;
    standardize_chunk(x.columns(begin, std::min(kColumnChunk, x.cols - begin)));
  });
}

}  // namespace sensorium::ops
