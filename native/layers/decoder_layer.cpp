#include "layers/decoder_layer.h"

#include <cmath>

#include "ops/kv_cache.h"
#include "ops/rope.h"

namespace sensorium {

void DecoderLayer::attend(Backend& backend, Arena& arena, const AttentionStep& step, Matrix hidden) const {
  Arena::Scope scope(arena);
  const auto [num_heads, num_kv_heads, head_dim] = parts_.heads;
  const int64_t q_cols = num_heads * head_dim, kv_cols = num_kv_heads * head_dim;
  const Matrix normed = arena.matrix(hidden.rows, hidden.cols);
  parts_.attention_norm.forward(backend, hidden, normed);
  const Matrix qkv = arena.matrix(hidden.rows, q_cols + 2 * kv_cols);
  parts_.qkv.forward(backend, normed, qkv);
  if (parts_.qk_norm) {
    parts_.qk_norm->q.forward_heads(backend, qkv.columns(0, q_cols), num_heads);
    parts_.qk_norm->k.forward_heads(backend, qkv.columns(q_cols, kv_cols), num_kv_heads);
  }
  if (step.cos.data != nullptr) {
    ops::rope(backend, qkv.columns(0, q_cols + kv_cols), num_heads + num_kv_heads, head_dim, step.cos,
              step.sin);  // q and k at once
  }
  ops::write_kv(backend, step.cache, parts_.index, qkv.columns(q_cols, kv_cols), qkv.columns(q_cols + kv_cols, kv_cols),
                step.slots);
  const Matrix attended = arena.matrix(hidden.rows, q_cols);
  ops::paged_attention(backend, step.cache, parts_.index, qkv.columns(0, q_cols), parts_.heads,
                       1.0F / std::sqrt(static_cast<float>(head_dim)), step.sequences, attended, parts_.window);
  parts_.attention_out.forward(backend, attended, hidden, {Activation::kNone, hidden});
}

void DecoderLayer::feed_forward(Backend& backend, Arena& arena, Matrix hidden) const {
  Arena::Scope scope(arena);
  const Matrix normed = arena.matrix(hidden.rows, hidden.cols);
  parts_.mlp_norm.forward(backend, hidden, normed);
  std::visit([&](const auto& mlp) { mlp.forward(backend, arena, normed, hidden, hidden); }, parts_.mlp);
}

}  // namespace sensorium
