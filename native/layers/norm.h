#pragma once

#include "backend/backend.h"
#include "layers/weight_loader.h"

namespace sensorium {

/// RMSNorm (no bias) or LayerNorm (with bias) over the columns of a matrix.
class Norm {
 public:
  /// Reads `name`.weight [size].
  static Norm rms(WeightLoader& loader, std::string_view name, int64_t size, float eps);
  /// Reads `name`.weight and `name`.bias, [size] each.
  static Norm layer(WeightLoader& loader, std::string_view name, int64_t size, float eps);

  /// x and y [rows, size]; may be the same.
  void forward(Backend& backend, ConstMatrix x, Matrix y) const;
  /// RMSNorm of each head on its own, in place: x [rows, num_heads * size].
  void forward_heads(Backend& backend, Matrix x, int64_t num_heads) const;
  /// Columns that are normalised together.
  int64_t size() const { return weight_.size(); }

 private:
  Norm(Tensor weight, Tensor bias, float eps) : weight_(std::move(weight)), bias_(std::move(bias)), eps_(eps) {}

  Tensor weight_;
  Tensor bias_;  ///< empty: RMSNorm
  float eps_;
};

}  // namespace sensorium
