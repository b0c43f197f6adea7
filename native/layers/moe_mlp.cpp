#include "layers/moe_mlp.h"

#include <algorithm>
#include <numeric>

#include "ops/activation.h"
#include "ops/elementwise.h"
#include "ops/gather.h"

namespace sensorium {

void MoeMlp::forward(Backend& backend, Arena& arena, ConstMatrix x, Matrix y, ConstMatrix residual) const {
  Arena::Scope scope(arena);
  const std::vector<Load> loads = route(backend, arena, x);
  const Matrix sum = arena.matrix(x.rows, y.cols);
  std::fill_n(sum.data, sum.rows * sum.cols, 0.0F);
  for (size_t expert = 0; expert < experts_.size(); ++expert) {
    const Load& load = loads[expert];
    if (load.rows.empty()) continue;
    Arena::Scope inner(arena);
    const auto num_rows = static_cast<int64_t>(load.rows.size());
    const Matrix gathered = arena.matrix(num_rows, x.cols);
    ops::gather_rows(backend, x, load.rows, 1, gathered);
    const Matrix output = arena.matrix(num_rows, y.cols);
    experts_[expert].forward(backend, arena, gathered, output);
    ops::scatter_add_rows(backend, output, load.rows, load.weights, sum);
  }
  if (residual.data != y.data) ops::copy(backend, residual, y);
  ops::add(backend, sum, y);
}

std::vector<MoeMlp::Load> MoeMlp::route(Backend& backend, Arena& arena, ConstMatrix x) const {
  Arena::Scope scope(arena);
  const Matrix scores = arena.matrix(x.rows, router_.num_columns());
  router_.forward(backend, x, scores);
  ops::softmax(backend, scores, scores);
  std::vector<Load> loads(experts_.size());
  std::vector<int32_t> order(experts_.size());
  for (int64_t row = 0; row < x.rows; ++row) {
    const float* probabilities = scores.row(row);
    std::iota(order.begin(), order.end(), 0);
    // Of equal experts the first counts, so that the choice is the same everywhere.
    const auto chosen_end = order.begin() + routing_.num_chosen;
    std::partial_sort(order.begin(), chosen_end, order.end(), [&](int32_t a, int32_t b) {
      return probabilities[a] != probabilities[b] ? probabilities[a] > probabilities[b] : a < b;
    });
    float total = 0.0F;
    for (auto expert = order.begin(); expert != chosen_end; ++expert) total += probabilities[*expert];
    for (auto expert = order.begin(); expert != chosen_end; ++expert) {
      Load& load = loads[static_cast<size_t>(*expert)];
      load.rows.push_back(static_cast<int32_t>(row));
      load.weights.push_back(routing_.is_renormalized ? probabilities[*expert] / total : probabilities[*expert]);
    }
  }
  return loads;
}

}  // namespace sensorium
