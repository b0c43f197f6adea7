#include "layers/encoder_block.h"

#include <cmath>

#include "ops/attention.h"
#include "ops/rope.h"

namespace sensorium {

void EncoderBlock::forward(Backend& backend, Arena& arena, Matrix hidden, const RotaryRows& rotary,
                           std::span<const int32_t> cu_seqlens, std::optional<int64_t> num_keys) const {
  attend(backend, arena, hidden, rotary, cu_seqlens, num_keys.value_or(hidden.rows));
  Arena::Scope scope(arena);
  const Matrix normed = arena.matrix(hidden.rows, hidden.cols);
  parts_.mlp_norm.forward(backend, hidden, normed);
  parts_.mlp.forward(backend, arena, normed, hidden, hidden);
}

void EncoderBlock::attend(Backend& backend, Arena& arena, Matrix hidden, const RotaryRows& rotary,
                          std::span<const int32_t> cu_seqlens, int64_t num_keys) const {
  Arena::Scope scope(arena);
  const int64_t width = hidden.cols, head_dim = width / parts_.num_heads;
  const Matrix normed = arena.matrix(hidden.rows, width);
  parts_.attention_norm.forward(backend, hidden, normed);
  const Matrix qkv = arena.matrix(hidden.rows, 3 * width);
  parts_.qkv.forward(backend, normed, qkv);
  if (rotary.cos.data != nullptr) {
    ops::rope(backend, qkv.columns(0, 2 * width), 2 * parts_.num_heads, head_dim, rotary.cos, rotary.sin);  // q and k at once
  }
  const Matrix attended = normed;  // its input is spent
  const Matrix asked = qkv.row_range(0, num_keys);
  ops::segment_attention(backend, qkv.columns(0, width), asked.columns(width, width), asked.columns(2 * width, width),
                         {parts_.num_heads, parts_.num_heads, head_dim}, 1.0F / std::sqrt(static_cast<float>(head_dim)),
                         cu_seqlens, attended);
  parts_.attention_out.forward(backend, attended, hidden, {Activation::kNone, hidden});
}

}  // namespace sensorium
