#pragma once

#include "layers/linear.h"

namespace sensorium {

/// Convolution over time of time-major rows, as a linear layer over overlapping windows.
class Conv1d {
 public:
  struct Size {
    int64_t out_channels = 0, in_channels = 0, width = 0, stride = 1;
  };

  /// Reads `name`.weight [out, in, width] and `name`.bias [out].
  static Conv1d load(WeightLoader& loader, std::string_view name, const Size& size);

  /// y[r] = activation(kernel · x[r * stride .. r * stride + width)); x [rows, in_channels] is dense and holds the padding.
  /// Throws kInvalidArgument when x has too few rows for y.
  void forward(Backend& backend, ConstMatrix x, Matrix y, Activation activation) const;

 private:
  Conv1d(Linear kernel, const Size& size) : kernel_(std::move(kernel)), size_(size) {}

  Linear kernel_;
  Size size_;
};

}  // namespace sensorium
