#include "layers/patch_merger.h"

namespace sensorium {

void PatchMerger::forward(Backend& backend, Arena& arena, ConstMatrix x, Matrix y) const {
  Arena::Scope scope(arena);
  const Matrix normed = arena.matrix(x.rows, x.cols);
  norm_.forward(backend, x, normed);
  const ConstMatrix grouped(normed.data, x.rows / group_size_, x.cols * group_size_);
  mlp_.forward(backend, arena, grouped, y);
}

}  // namespace sensorium
