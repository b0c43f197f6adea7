#include "layers/mlp.h"

#include <algorithm>

namespace sensorium {
namespace {

/// Bounds the intermediate activations; enough rows to keep matrix products busy.
constexpr int64_t kMaxRowsAtOnce = 1024;

}  // namespace

void Mlp::forward(Backend& backend, Arena& arena, ConstMatrix x, Matrix y, ConstMatrix residual) const {
  Arena::Scope scope(arena);
  const Matrix inner = arena.matrix(std::min(x.rows, kMaxRowsAtOnce), up_.num_columns());
  for (int64_t begin = 0; begin < x.rows; begin += kMaxRowsAtOnce) {
    const int64_t count = std::min(kMaxRowsAtOnce, x.rows - begin);
    const Matrix piece = inner.row_range(0, count);
    up_.forward(backend, x.row_range(begin, count), piece, {activation_, {}});
    const ConstMatrix piece_residual = residual.data == nullptr ? residual : residual.row_range(begin, count);
    down_.forward(backend, piece, y.row_range(begin, count), {Activation::kNone, piece_residual});
  }
}

}  // namespace sensorium
