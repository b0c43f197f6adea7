#include "core/media_input.h"

#include <algorithm>

#include "core/error.h"

namespace sensorium {

Shape ProcessedMedia::input_shape() const {
  if (patches.empty()) return features.shape();
  Shape shape = patches.shape();
  if (!features.empty()) shape[0] += features.shape()[0];
  return shape;
}

void ProcessedMedia::expand_rows(int64_t first_row, Matrix out) const {
  const Shape shape = input_shape();
  if (shape.size() != 2 || out.cols != shape[1] || first_row < 0 || out.rows > shape[0] - first_row) {
    throw Error(ErrorCode::kInvalidArgument, "rows do not lie in an input of shape " + shape_to_string(shape));
  }
  const int64_t num_features = features.empty() ? 0 : features.shape()[0];
  const int64_t num_copied = std::clamp<int64_t>(num_features - first_row, 0, out.rows);
  for (int64_t r = 0; r < num_copied; ++r) std::copy_n(features.data() + (first_row + r) * out.cols, out.cols, out.row(r));
  if (num_copied < out.rows) {
    patches.expand(first_row + num_copied - num_features, out.row_range(num_copied, out.rows - num_copied));
  }
}

}  // namespace sensorium
