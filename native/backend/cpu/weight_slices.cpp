#include "backend/cpu/weight_slices.h"

#include <cstddef>
#include <string>

#include "core/error.h"

namespace sensorium {
namespace {

bool is_float(DType dtype) {
  return dtype == DType::kFloat32 || dtype == DType::kBFloat16 || dtype == DType::kFloat16 || dtype == DType::kFloat64;
}

/// The slice that holds a row of the stacked matrix; `row` becomes the row inside it.
const WeightSlice& find_slice(std::span<const WeightSlice> slices, int64_t& row) {
  size_t i = 0;
  while (row >= slices[i].weight.shape[0]) row -= slices[i++].weight.shape[0];
  return slices[i];
}

void read_floats(const TensorView& tensor, int64_t first, int64_t count, float* to) {
  const auto* from = static_cast<const std::byte*>(tensor.data) + static_cast<size_t>(first) * dtype_size(tensor.dtype);
  copy_to_float(from, tensor.dtype, count, to);
}

}  // namespace

StackedShape check_slices(std::span<const WeightSlice> slices) {
  if (slices.empty()) throw Error(ErrorCode::kInvalidArgument, "pack: no weight slices");
  StackedShape stacked;
  for (const WeightSlice& slice : slices) {
    const Shape& shape = slice.weight.shape;
    if (shape.size() != 2 || shape[0] < 1 || shape[1] < 1) {
      throw Error(ErrorCode::kInvalidArgument, "pack: a weight must be a matrix, got " + shape_to_string(shape));
    }
    if (stacked.in_features != 0 && shape[1] != stacked.in_features) {
      throw Error(ErrorCode::kInvalidArgument, "pack: slices differ in in_features: " + std::to_string(stacked.in_features) +
                                                   " and " + std::to_string(shape[1]));
    }
    if (!is_float(slice.weight.dtype) || (slice.bias && !is_float(slice.bias->dtype))) {
      throw Error(ErrorCode::kInvalidArgument, "pack: weights must be of a float dtype");
    }
    if (slice.bias && slice.bias->size() != shape[0]) {
      throw Error(ErrorCode::kInvalidArgument,
                  "pack: bias of shape " + shape_to_string(slice.bias->shape) + " for weight " + shape_to_string(shape));
    }
    stacked.in_features = shape[1];
    stacked.out_features += shape[0];
    stacked.has_bias = stacked.has_bias || slice.bias.has_value();
  }
  return stacked;
}

void read_row(std::span<const WeightSlice> slices, int64_t row, float* to) {
  const TensorView& weight = find_slice(slices, row).weight;
  read_floats(weight, row * weight.shape[1], weight.shape[1], to);
}

float read_bias(std::span<const WeightSlice> slices, int64_t row) {
  const WeightSlice& slice = find_slice(slices, row);
  float value = 0.0F;
  if (slice.bias) read_floats(*slice.bias, row, 1, &value);
  return value;
}

}  // namespace sensorium
