#include "ops/rope.h"

#include <cmath>

#include "ops/parallel_rows.h"
#include "ops/shape_check.h"

namespace sensorium::ops {
namespace {

/// Cost of a sine and a cosine, in elements copied.
constexpr int64_t kTrigonometryCost = 16;

void check_tables(std::string_view op, ConstMatrix cos, ConstMatrix sin, size_t num_positions, int64_t num_columns) {
  check_shape(op, "cos", cos, static_cast<int64_t>(num_positions), num_columns);
  check_shape(op, "sin", sin, static_cast<int64_t>(num_positions), num_columns);
}

void turn(float angle, float scale, float& cos, float& sin) {
  cos = std::cos(angle) * scale;
  sin = std::sin(angle) * scale;
}

/// 0 temporal, 1 height, 2 width: the axis that turns frequency `j`.
int mrope_axis(const MropeSections& sections, int64_t j) {
  if (sections.is_interleaved) {
    const auto axis = static_cast<size_t>(j % 3);
    return axis != 0 && j < 3 * sections.sizes[axis] ? static_cast<int>(axis) : 0;
  }
  return j < sections.sizes[0] ? 0 : j < sections.sizes[0] + sections.sizes[1] ? 1 : 2;
}

}  // namespace

void rope(Backend& backend, Matrix x, int64_t num_heads, int64_t head_dim, ConstMatrix cos, ConstMatrix sin) {
  check_equal("rope", "columns of x", x.cols, num_heads * head_dim);
  check_equal("rope", "rows of cos", cos.rows, x.rows);
  check_shape("rope", "sin", sin, cos.rows, cos.cols);
  check(2 * cos.cols <= head_dim, "rope", "rotary_dim is larger than head_dim");
  backend.rope(x, num_heads, head_dim, cos, sin);
}

void rope_tables(Backend& backend, std::span<const float> positions, std::span<const float> inv_freq, float scale, Matrix cos,
                 Matrix sin) {
  check_tables("rope_tables", cos, sin, positions.size(), static_cast<int64_t>(inv_freq.size()));
  for_each_row(backend, cos.rows, cos.cols * kTrigonometryCost, [&](int64_t r) {
    const float position = positions[static_cast<size_t>(r)];
    for (size_t j = 0; j < inv_freq.size(); ++j) turn(position * inv_freq[j], scale, cos.row(r)[j], sin.row(r)[j]);
  });
}

void mrope_tables(Backend& backend, std::span<const float> positions_t, std::span<const float> positions_h,
                  std::span<const float> positions_w, const MropeSections& sections, std::span<const float> inv_freq,
                  float scale, Matrix cos, Matrix sin) {
  const auto num_columns = static_cast<int64_t>(inv_freq.size());
  check_equal("mrope_tables", "number of height positions", static_cast<int64_t>(positions_h.size()), cos.rows);
  check_equal("mrope_tables", "number of width positions", static_cast<int64_t>(positions_w.size()), cos.rows);
  check_equal("mrope_tables", "sum of the sections", sections.sizes[0] + sections.sizes[1] + sections.sizes[2], num_columns);
  check_tables("mrope_tables", cos, sin, positions_t.size(), num_columns);
  for_each_row(backend, cos.rows, cos.cols * kTrigonometryCost, [&](int64_t r) {
    const auto row = static_cast<size_t>(r);
    const float positions[3] = {positions_t[row], positions_h[row], positions_w[row]};
    for (int64_t j = 0; j < num_columns; ++j) {
      const float angle = positions[mrope_axis(sections, j)] * inv_freq[static_cast<size_t>(j)];
      turn(angle, scale, cos.row(r)[j], sin.row(r)[j]);
    }
  });
}

void rope_2d_tables(Backend& backend, std::span<const float> positions_h, std::span<const float> positions_w,
                    std::span<const float> inv_freq, Matrix cos, Matrix sin) {
  const auto num_frequencies = static_cast<int64_t>(inv_freq.size());
  check_equal("rope_2d_tables", "columns of cos", cos.cols, 2 * num_frequencies);
  check_equal("rope_2d_tables", "columns of sin", sin.cols, 2 * num_frequencies);
  rope_tables(backend, positions_h, inv_freq, 1.0F, cos.columns(0, num_frequencies), sin.columns(0, num_frequencies));
  rope_tables(backend, positions_w, inv_freq, 1.0F, cos.columns(num_frequencies, num_frequencies),
              sin.columns(num_frequencies, num_frequencies));
}

}  // namespace sensorium::ops
