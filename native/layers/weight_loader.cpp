#include "layers/weight_loader.h"

#include <utility>
#include <vector>

#include "core/error.h"

namespace sensorium {
namespace {

bool is_float(DType dtype) {
  return dtype == DType::kFloat32 || dtype == DType::kBFloat16 || dtype == DType::kFloat16 || dtype == DType::kFloat64;
}

/// [out, in, width] to [out, width, in].
Tensor to_time_major(const Tensor& kernel) {
  const int64_t out = kernel.shape()[0], in = kernel.shape()[1], width = kernel.shape()[2];
  Tensor result({out, width * in});
  for (int64_t o = 0; o < out; ++o) {
    for (int64_t i = 0; i < in; ++i) {
      for (int64_t k = 0; k < width; ++k) {
        result.data()[(o * width + k) * in + i] = kernel.data()[(o * in + i) * width + k];
      }
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

Tensor WeightLoader::vector(std::string_view name, int64_t size) {
  const Source source = read(name, {size});
  Tensor values = Tensor::from(source.view);
  totals_->resident_bytes += static_cast<size_t>(size) * sizeof(float);
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

std::unique_ptr<PackedMatrix> WeightLoader::flattened_kernel(std::string_view name, const Shape& shape) {
  const Source source = read(std::string(name) + ".weight", shape);
  const int64_t out = shape.front();
  const TensorView matrix{source.view.data, source.view.dtype, {out, num_elements(shape) / out}};
  const WeightSlice part{matrix, std::nullopt};
  return finish(backend_.pack({&part, 1}), {source});
}

std::unique_ptr<PackedMatrix> WeightLoader::time_kernel(std::string_view name, int64_t out, int64_t in, int64_t width) {
  const Source weight = read(std::string(name) + ".weight", {out, in, width});
  const Source bias = read(std::string(name) + ".bias", {out});
  const Tensor kernel = to_time_major(Tensor::from(weight.view));
  WeightSlice part;
  part.weight = {kernel.data(), DType::kFloat32, kernel.shape()};
  part.bias.emplace(bias.view);
  return finish(backend_.pack({&part, 1}), {weight, bias});
}

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
