#include "layers/weight_loader.h"

#include <cstring>
#include <utility>
#include <vector>

#include "core/error.h"

namespace sensorium {
namespace {

bool is_float(DType dtype) {
  return dtype == DType::kFloat32 || dtype == DType::kBFloat16 || dtype == DType::kFloat16 || dtype == DType::kFloat64;
}

/// The first or second half of a view's rows.
TensorView half_rows(const TensorView& view, bool is_second) {
  TensorView half = view;
  half.shape.front() /= 2;
  const size_t half_bytes = static_cast<size_t>(half.size()) * dtype_size(view.dtype);
  if (is_second) half.data = static_cast<const std::byte*>(view.data) + half_bytes;
  return half;
}

/// [out, in, places] to [out, places, in].
Tensor to_channels_last(const Tensor& kernel, int64_t out, int64_t in, int64_t places) {
  Tensor result({out, places * in});
  for (int64_t o = 0; o < out; ++o) {
    for (int64_t i = 0; i < in; ++i) {
      for (int64_t k = 0; k < places; ++k) {
        result.data()[(o * places + k) * in + i] = kernel.data()[(o * in + i) * places + k];
      }
    }
  }
  return result;
}

/// [rows, cols] to [cols, rows]; the source need not be aligned.
Buffer transpose(const void* source, size_t element_bytes, int64_t rows, int64_t cols) {
  Buffer result(static_cast<size_t>(rows * cols) * element_bytes);
  const auto* from = static_cast<const std::byte*>(source);
  auto* to = static_cast<std::byte*>(result.data());
  for (int64_t r = 0; r < rows; ++r) {
    for (int64_t c = 0; c < cols; ++c, from += element_bytes) {
      std::memcpy(to + static_cast<size_t>(c * rows + r) * element_bytes, from, element_bytes);
    }
  }
  return result;
}

}  // namespace

WeightLoader::WeightLoader(const Checkpoint& checkpoint, Backend& backend, Progress progress)
    : checkpoint_(checkpoint), backend_(backend), progress_(std::move(progress)), totals_(std::make_shared<Totals>()) {}

WeightLoader WeightLoader::scope(std::string_view name) const {
  WeightLoader inner = *this;
  inner.prefix_ += std::string(name) + ".";
  return inner;
}

WeightLoader WeightLoader::scope(std::string_view name, int64_t index) const {
  return scope(std::string(name) + "." + std::to_string(index));
}

bool WeightLoader::has(std::string_view name) const { return checkpoint_.has(prefix_ + std::string(name)); }

Tensor WeightLoader::tensor(std::string_view name, const Shape& shape) {
  const Source source = read(name, shape);
  Tensor values = Tensor::from(source.view);
  totals_->resident_bytes += static_cast<size_t>(values.size()) * sizeof(float);
  finish({source});
  return values;
}

std::unique_ptr<PackedMatrix> WeightLoader::matrix(std::span<const LinearSlice> slices, int64_t in_features) {
  std::vector<Source> sources;
  std::vector<WeightSlice> parts;
  for (const LinearSlice& slice : slices) parts.push_back(read_slice(slice, in_features, sources));
  return finish(backend_.pack(parts), sources);
}

std::unique_ptr<PackedMatrix> WeightLoader::gated_matrix(const LinearSlice& gate, const LinearSlice& up, int64_t in_features) {
  std::vector<Source> sources;
  const WeightSlice gate_part = read_slice(gate, in_features, sources);
  const WeightSlice up_part = read_slice(up, in_features, sources);
  return finish(backend_.pack_gated(gate_part, up_part), sources);
}

std::unique_ptr<PackedMatrix> WeightLoader::gated_matrix(const LinearSlice& both, int64_t in_features, GateHalf gate) {
  std::vector<Source> sources;
  const WeightSlice whole = read_slice(both, in_features, sources);
  const auto half_of = [&](bool is_second) {
    WeightSlice half{half_rows(whole.weight, is_second), std::nullopt};
    if (whole.bias) half.bias.emplace(half_rows(*whole.bias, is_second));
    return half;
  };
  const bool is_gate_second = gate == GateHalf::kSecond;
  return finish(backend_.pack_gated(half_of(is_gate_second), half_of(!is_gate_second)), sources);
}

std::unique_ptr<PackedMatrix> WeightLoader::flattened_kernel(std::string_view name, const Shape& shape, bool has_bias) {
  std::vector<Source> sources{read(std::string(name) + ".weight", shape)};
  const int64_t out = shape.front();
  WeightSlice part;
  part.weight = {sources[0].view.data, sources[0].view.dtype, {out, num_elements(shape) / out}};
  if (has_bias) {
    sources.push_back(read(std::string(name) + ".bias", {out}));
    part.bias.emplace(sources[1].view);
  }
  return finish(backend_.pack({&part, 1}), sources);
}

std::unique_ptr<PackedMatrix> WeightLoader::time_kernel(std::string_view name, int64_t out, int64_t in, int64_t width) {
  return channels_last_kernel(name, {out, in, width}, in, true);
}

std::unique_ptr<PackedMatrix> WeightLoader::channels_last_kernel(std::string_view name, const Shape& shape, int64_t in,
                                                                 bool has_bias) {
  std::vector<Source> sources{read(std::string(name) + ".weight", shape)};
  const int64_t out = shape.front(), places = num_elements(shape) / (out * in);
  const Tensor kernel = to_channels_last(Tensor::from(sources[0].view), out, in, places);
  WeightSlice part;
  part.weight = {kernel.data(), DType::kFloat32, kernel.shape()};
  if (has_bias) {
    sources.push_back(read(std::string(name) + ".bias", {out}));
    part.bias.emplace(sources[1].view);
  }
  return finish(backend_.pack({&part, 1}), sources);
}

std::vector<std::unique_ptr<PackedMatrix>> WeightLoader::stack(std::string_view name, const MatrixStack& stack) {
  const Source source = read(name, stack.shape());
  const auto matrix_bytes = static_cast<size_t>(stack.out_features * stack.in_features) * dtype_size(source.view.dtype);
  std::vector<std::unique_ptr<PackedMatrix>> matrices;
  for (int64_t i = 0; i < stack.count; ++i) {
    const std::byte* data = static_cast<const std::byte*>(source.view.data) + static_cast<size_t>(i) * matrix_bytes;
    matrices.push_back(pack_stacked({data, source.view.dtype, {stack.out_features, stack.in_features}}, stack));
    totals_->resident_bytes += matrices.back()->size_bytes();
  }
  finish({source});
  return matrices;
}

std::unique_ptr<PackedMatrix> WeightLoader::pack_stacked(const TensorView& matrix, const MatrixStack& stack) {
  Buffer transposed;
  TensorView view = matrix;
  if (stack.is_transposed) {
    transposed = transpose(matrix.data, dtype_size(matrix.dtype), stack.in_features, stack.out_features);
    view.data = transposed.data();
  }
  if (!stack.is_gated) {
    const WeightSlice part{view, std::nullopt};
    return backend_.pack({&part, 1});
  }
  const int64_t half = stack.out_features / 2;
  const auto half_bytes = static_cast<size_t>(half * stack.in_features) * dtype_size(view.dtype);
  const WeightSlice gate{{view.data, view.dtype, {half, stack.in_features}}, std::nullopt};
  const void* second_half = static_cast<const std::byte*>(view.data) + half_bytes;
  return backend_.pack_gated(gate, {{second_half, view.dtype, {half, stack.in_features}}, std::nullopt});
}

std::unique_ptr<PackedMatrix> WeightLoader::matrix_rows(const MatrixNames& names, const Shape& shape, int64_t first_row,
                                                        int64_t num_rows) {
  const Source weight = read(names.weight, shape), bias = read(names.bias, {shape[0]});
  const auto rows_of = [&](const TensorView& view) {
    TensorView rows = view;
    rows.shape[0] = num_rows;
    const auto row_bytes = static_cast<size_t>(rows.size() / num_rows) * dtype_size(view.dtype);
    rows.data = static_cast<const std::byte*>(view.data) + static_cast<size_t>(first_row) * row_bytes;
    return rows;
  };
  WeightSlice part{rows_of(weight.view), std::nullopt};
  part.bias.emplace(rows_of(bias.view));
  std::unique_ptr<PackedMatrix> packed = backend_.pack({&part, 1});
  totals_->resident_bytes += packed->size_bytes();
  totals_->num_parameters += part.weight.size() + part.bias->size();
  return packed;
}

std::unique_ptr<PackedMatrix> WeightLoader::transposed(std::string_view name, int64_t in_features, int64_t out_features) {
  const Source source = read(name, {in_features, out_features});
  const TensorView view{source.view.data, source.view.dtype, {out_features, in_features}};
  return finish(pack_stacked(view, {1, out_features, in_features, true, false}), {source});
}

Shape WeightLoader::shape_of(std::string_view name) const { return checkpoint_.get_any(prefix_ + std::string(name)).shape; }

std::unique_ptr<PackedMatrix> WeightLoader::table(std::string_view name, int64_t rows, int64_t cols) {
  const Source source = read(name, {rows, cols});
  const WeightSlice part{source.view, std::nullopt};
  return finish(backend_.pack({&part, 1}), {source});
}

WeightLoader::Source WeightLoader::read(std::string_view name, const Shape& shape) {
  Source source{prefix_ + std::string(name), {}};
  source.view = checkpoint_.get(source.name, shape);
  if (!is_float(source.view.dtype)) {
    throw Error(ErrorCode::kInvalidCheckpoint, "tensor " + source.name + " has dtype " +
                                                   std::string(dtype_name(source.view.dtype)) + ", expected a float dtype");
  }
  return source;
}

WeightSlice WeightLoader::read_slice(const LinearSlice& slice, int64_t in_features, std::vector<Source>& sources) {
  WeightSlice part;
  const Source weight = read(std::string(slice.name) + ".weight", {slice.out_features, in_features});
  part.weight = weight.view;
  sources.push_back(weight);
  if (slice.has_bias) {
    const Source bias = read(std::string(slice.name) + ".bias", {slice.out_features});
    part.bias.emplace(bias.view);
    sources.push_back(bias);
  }
  return part;
}

std::unique_ptr<PackedMatrix> WeightLoader::finish(std::unique_ptr<PackedMatrix> packed, const std::vector<Source>& sources) {
  totals_->resident_bytes += packed->size_bytes();
  finish(sources);
  return packed;
}

void WeightLoader::finish(const std::vector<Source>& sources) {
  for (const Source& source : sources) {
    totals_->num_parameters += source.view.size();
    checkpoint_.release(source.name);
  }
  if (progress_) progress_(checkpoint_.read_bytes(), checkpoint_.total_bytes());
}

}  // namespace sensorium
