#include "layers/patch_embedding.h"

#include <algorithm>

namespace sensorium {
namespace {

/// Patches that are held as floats at once.
constexpr int64_t kExpandedPatches = 512;
constexpr int64_t kExpandedPatchesPerTask = 16;

}  // namespace

PatchEmbedding PatchEmbedding::load(WeightLoader& loader, std::string_view name, const Shape& shape, bool has_bias) {
  const int64_t hidden_size = shape.front();
  return {Linear(loader.flattened_kernel(name, shape, has_bias), hidden_size), num_elements(shape) / hidden_size};
}

void PatchEmbedding::forward(Backend& backend, Arena& arena, const ProcessedMedia& media, int64_t first_row,
                             Matrix hidden) const {
  Arena::Scope scope(arena);
  const Matrix expanded = arena.matrix(std::min(kExpandedPatches, hidden.rows), patch_dim_);
  for (int64_t done = 0; done < hidden.rows; done += expanded.rows) {
    const Matrix rows = expanded.row_range(0, std::min(expanded.rows, hidden.rows - done));
    backend.thread_pool().parallel_for(rows.rows, kExpandedPatchesPerTask, [&](int64_t begin, int64_t end) {
      media.expand_rows(first_row + done + begin, rows.row_range(begin, end - begin));
    });
    kernel_.forward(backend, rows, hidden.row_range(done, rows.rows));
  }
}

}  // namespace sensorium
