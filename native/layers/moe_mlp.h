#pragma once

#include <vector>

#include "core/arena.h"
#include "layers/linear.h"
#include "layers/mlp.h"

namespace sensorium {

/// A mixture of experts: each row goes through the experts that its router likes best, and their outputs are summed with the
/// router's weights. Source: Hugging Face's Qwen3MoeSparseMoeBlock.
class MoeMlp {
 public:
  struct Routing {
    int64_t num_chosen = 0;       ///< experts of a row, at most their number
    bool is_renormalized = true;  ///< the chosen experts' weights sum to 1
  };

  /// `router` yields a score for each expert.
  MoeMlp(Linear router, std::vector<Mlp> experts, const Routing& routing)
      : router_(std::move(router)), experts_(std::move(experts)), routing_(routing) {}

  /// y = moe(x) + residual (may alias y). A row's sum runs over its experts in their order, whatever the other rows are.
  void forward(Backend& backend, Arena& arena, ConstMatrix x, Matrix y, ConstMatrix residual) const;

 private:
  /// Rows that an expert works on, ascending, and their weights.
  struct Load {
    std::vector<int32_t> rows;
    std::vector<float> weights;
  };

  std::vector<Load> route(Backend& backend, Arena& arena, ConstMatrix x) const;

  Linear router_;
  std::vector<Mlp> experts_;
  Routing routing_;
};

}  // namespace sensorium
