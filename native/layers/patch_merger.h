#pragma once

#include "core/arena.h"
#include "layers/mlp.h"
#include "layers/norm.h"

namespace sensorium {

/// Joins neighbouring patches into one token: norm, a group's rows side by side, MLP. The norm is over a patch or, where its
/// size says so, over a whole group.
class PatchMerger {
 public:
  PatchMerger(Norm norm, Mlp mlp, int64_t group_size) : norm_(std::move(norm)), mlp_(std::move(mlp)), group_size_(group_size) {}

  int64_t num_columns() const { return mlp_.num_columns(); }
  /// x [groups * group_size, hidden], dense, y [groups, num_columns].
  void forward(Backend& backend, Arena& arena, ConstMatrix x, Matrix y) const;

 private:
  Norm norm_;
  Mlp mlp_;
  int64_t group_size_;
};

}  // namespace sensorium
