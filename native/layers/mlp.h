#pragma once

#include "core/arena.h"
#include "layers/linear.h"

namespace sensorium {

/// down(activation(up(x))); with a gated `up`, down(activation(gate(x)) * up(x)).
class Mlp {
 public:
  Mlp(Linear up, Linear down, Activation activation) : up_(std::move(up)), down_(std::move(down)), activation_(activation) {}

  int64_t num_columns() const { return down_.num_columns(); }
  /// y = mlp(x), plus `residual` where given (may alias y). Long inputs go through in pieces of bounded memory.
  void forward(Backend& backend, Arena& arena, ConstMatrix x, Matrix y, ConstMatrix residual = {}) const;

 private:
  Linear up_;
  Linear down_;
  Activation activation_;
};

}  // namespace sensorium
