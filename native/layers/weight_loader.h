#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "backend/backend.h"
#include "weights/checkpoint.h"

namespace sensorium {

/// One matrix of a checkpoint, as a layer names it: `name`.weight [out_features, in_features] and maybe `name`.bias.
struct LinearSlice {
  std::string_view name;
  int64_t out_features = 0;
  bool has_bias = false;
};

/// Where the gate's rows lie in a matrix that holds both those of the gate and those of the way up.
enum class GateHalf { kFirst, kSecond };

/// Matrices that a checkpoint keeps in one tensor, [count, out_features, in_features] or, transposed, [count, in_features,
/// out_features].
struct MatrixStack {
  int64_t count = 0;
  int64_t out_features = 0;
  int64_t in_features = 0;
  bool is_transposed = false;
  bool is_gated = false;

  Shape shape() const {
    return is_transposed ? Shape{count, in_features, out_features} : Shape{count, out_features, in_features};
  }
};

/// Reads a layer's tensors from a checkpoint under a name prefix and packs them for a backend, one matrix at a time:
/// pages of the mapped file are given back as soon as their tensors are packed.
/// All methods throw kInvalidCheckpoint (file, tensor, expectation) on missing, misshapen or non-float tensors.
class WeightLoader {
 public:
  /// Called with the bytes read so far and the bytes of all tensors.
  using Progress = std::function<void(size_t done_bytes, size_t total_bytes)>;

  /// Sums over all scopes of one loading.
  struct Totals {
    int64_t num_parameters = 0;
    size_t resident_bytes = 0;
  };

  WeightLoader(const Checkpoint& checkpoint, Backend& backend, Progress progress);

  /// A loader for the tensors under `name` + ".", or `name` + "." + `index` + ".".
  WeightLoader scope(std::string_view name) const;
  WeightLoader scope(std::string_view name, int64_t index) const;

  Backend& backend() const { return backend_; }
  const Totals& totals() const { return *totals_; }
  bool has(std::string_view name) const;
  /// Tells that the tensors whose names begin with `prefix` are known and of no use.
  void ignore(std::string_view prefix) const { checkpoint_.ignore(prefix_ + std::string(prefix)); }

  /// A small parameter (norm weight, bias) as float32.
  Tensor vector(std::string_view name, int64_t size) { return tensor(name, {size}); }
  /// A parameter that is used as it is (a table of positions), as float32.
  Tensor tensor(std::string_view name, const Shape& shape);
  /// Slices stacked along rows.
  std::unique_ptr<PackedMatrix> matrix(std::span<const LinearSlice> slices, int64_t in_features);
  /// gate and up, packed so that a linear yields activation(gate) * up.
  std::unique_ptr<PackedMatrix> gated_matrix(const LinearSlice& gate, const LinearSlice& up, int64_t in_features);
  /// The same for one matrix that holds gate's rows, then up's, or the other way round: `both.out_features` counts both.
  std::unique_ptr<PackedMatrix> gated_matrix(const LinearSlice& both, int64_t in_features, GateHalf gate = GateHalf::kFirst);
  /// Names of a matrix and of its bias that do not end in .weight and .bias.
  struct MatrixNames {
    std::string_view weight, bias;
  };
  /// Rows [first_row, first_row + num_rows) of a matrix `shape` and of its bias.
  std::unique_ptr<PackedMatrix> matrix_rows(const MatrixNames& names, const Shape& shape, int64_t first_row, int64_t num_rows);
  /// A matrix that the checkpoint keeps as [in_features, out_features].
  std::unique_ptr<PackedMatrix> transposed(std::string_view name, int64_t in_features, int64_t out_features);
  /// A convolution kernel [out, ...] as the matrix [out, product of the rest], with its bias [out] where it has one.
  std::unique_ptr<PackedMatrix> flattened_kernel(std::string_view name, const Shape& shape, bool has_bias = false);
  /// A kernel over time [out, in, width] with bias as the matrix [out, width * in], for time-major rows.
  std::unique_ptr<PackedMatrix> time_kernel(std::string_view name, int64_t out, int64_t in, int64_t width);
  /// A kernel over places, `shape` [out, in, places...] or with `in` and places in one, as the matrix [out, places * in] for
  /// rows that hold the channels of a place side by side; with its bias [out] where it has one.
  std::unique_ptr<PackedMatrix> channels_last_kernel(std::string_view name, const Shape& shape, int64_t in, bool has_bias);
  /// Matrices of one tensor, one after the other, each packed for itself. Gated: the first half of the rows is the gate, the
  /// second half goes up.
  std::vector<std::unique_ptr<PackedMatrix>> stack(std::string_view name, const MatrixStack& stack);
  /// Shape on disk of the tensor `name`.
  Shape shape_of(std::string_view name) const;
  /// An embedding table or a head: the tensor `name` itself, without bias.
  std::unique_ptr<PackedMatrix> table(std::string_view name, int64_t rows, int64_t cols);

 private:
  struct Source {
    std::string name;
    TensorView view;
  };

  Source read(std::string_view name, const Shape& shape);
  WeightSlice read_slice(const LinearSlice& slice, int64_t in_features, std::vector<Source>& sources);
  std::unique_ptr<PackedMatrix> pack_stacked(const TensorView& matrix, const MatrixStack& stack);
  std::unique_ptr<PackedMatrix> finish(std::unique_ptr<PackedMatrix> packed, const std::vector<Source>& sources);
  void finish(const std::vector<Source>& sources);

  const Checkpoint& checkpoint_;
  Backend& backend_;
  Progress progress_;
  std::string prefix_;
  std::shared_ptr<Totals> totals_;
};

}  // namespace sensorium
