#include "layers/cross_attention.h"

#include <cmath>

#include "ops/kv_cache.h"

namespace sensorium {

void CrossAttention::store(Backend& backend, Arena& arena, KvCache& cache, ConstMatrix rows,
                           std::span<const int32_t> slots) const {
  Arena::Scope scope(arena);
  const int64_t width = parts_.heads.num_kv_heads * parts_.heads.head_dim;
  const Matrix kv = arena.matrix(rows.rows, 2 * width);
  parts_.kv.forward(backend, rows, kv);
  ops::write_kv(backend, cache, parts_.index, kv.columns(0, width), kv.columns(width, width), slots);
}

void CrossAttention::query(Backend& backend, Arena& arena, ConstMatrix hidden, Matrix q) const {
  Arena::Scope scope(arena);
  const Matrix normed = arena.matrix(hidden.rows, hidden.cols);
  parts_.norm.forward(backend, hidden, normed);
  parts_.q.forward(backend, normed, q);
}

void CrossAttention::attend(Backend& backend, Arena& arena, const KvCache& cache, std::span<const PagedSequence> queries,
                            Matrix hidden) const {
  Arena::Scope scope(arena);
  const int64_t width = parts_.heads.num_heads * parts_.heads.head_dim;
  const Matrix q = arena.matrix(hidden.rows, width);
  query(backend, arena, hidden, q);
  const Matrix attended = arena.matrix(hidden.rows, width);
  ops::paged_attention(backend, cache, parts_.index, q, parts_.heads,
                       1.0F / std::sqrt(static_cast<float>(parts_.heads.head_dim)), queries, attended);
  parts_.out.forward(backend, attended, hidden, {Activation::kNone, hidden});
}

}  // namespace sensorium
