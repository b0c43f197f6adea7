#pragma once

#include <initializer_list>
#include <memory>

#include "backend/backend.h"
#include "layers/weight_loader.h"

namespace sensorium {

/// y = epilogue(x Wᵀ + bias), or activation(gate) * up for a gated pair.
class Linear {
 public:
  /// One matrix, or several stacked along rows (q‖k‖v).
  static Linear load(WeightLoader& loader, int64_t in_features, std::initializer_list<LinearSlice> slices);
  static Linear load_gated(WeightLoader& loader, int64_t in_features, const LinearSlice& gate, const LinearSlice& up);
  /// Gate and up in one matrix: `both.out_features` counts both.
  static Linear load_gated(WeightLoader& loader, int64_t in_features, const LinearSlice& both,
                           GateHalf gate = GateHalf::kFirst);
  /// Takes an already packed matrix; `num_columns` of y.
  Linear(std::shared_ptr<const PackedMatrix> weight, int64_t num_columns)
      : weight_(std::move(weight)), num_columns_(num_columns) {}

  /// Columns of y.
  int64_t num_columns() const { return num_columns_; }
  /// x [rows, in_features], y [rows, num_columns].
  void forward(Backend& backend, ConstMatrix x, Matrix y, const Epilogue& epilogue = {}) const;

 private:
  std::shared_ptr<const PackedMatrix> weight_;
  int64_t num_columns_;
};

}  // namespace sensorium
