#include "layers/patch_merger.h"

namespace sensorium {

void PatchMerger::forward(Backend& backend, Arena& arena, ConstMatrix x, Matrix y) const {
  Arena::Scope scope(arena);
  const bool is_grouped_first = norm_.size() != x.cols;
  const int64_t num_rows = is_grouped_first ? x.rows / group_size_ : x.rows;
  const int64_t num_columns = is_grouped_first ? x.cols * group_size_ : x.cols;
  const Matrix normed = arena.matrix(num_rows, num_columns);
  norm_.forward(backend, ConstMatrix(x.data, num_rows, num_columns), normed);
  const ConstMatrix grouped(normed.data, x.rows / group_size_, x.cols * group_size_);
  mlp_.forward(backend, arena, grouped, y);
}

}  // namespace sensorium
