#pragma once

#include <cstdint>
#include <optional>
#include <span>

#include "core/arena.h"
#include "layers/feed_forward.h"
#include "layers/linear.h"
#include "layers/norm.h"
#include "ops/attention.h"

namespace sensorium {

/// What the attention of all layers needs in one step.
struct AttentionStep {
  KvCache& cache;
  ConstMatrix cos, sin;  ///< [rows, rotary_dim / 2]; data == nullptr: nothing is rotated
  std::span<const int32_t> slots;
  std::span<const PagedSequence> sequences;
};

/// Norms of each head of q and k, before they are rotated.
struct QkNorm {
  Norm q, k;
};

/// A pre-norm decoder layer with causal paged attention: x += attention(norm(x)); x += mlp(norm(x)).
class DecoderLayer {
 public:
  struct Parts {
    Norm attention_norm;
    Linear qkv;  ///< q‖k‖v
    std::optional<QkNorm> qk_norm;
    Linear attention_out;
    Norm mlp_norm;
    FeedForward mlp;
    ops::HeadShape heads;
    int64_t index;                   ///< its layer of the cache
    int64_t window = kWholeContext;  ///< keys that a token sees, its own included
  };

  explicit DecoderLayer(Parts parts) : parts_(std::move(parts)) {}
  /// hidden [rows, hidden_size], in place; stores the rows' keys and values.
  void attend(Backend& backend, Arena& arena, const AttentionStep& step, Matrix hidden) const;
  /// hidden [rows, hidden_size], in place.
  void feed_forward(Backend& backend, Arena& arena, Matrix hidden) const;

 private:
  Parts parts_;
};

}  // namespace sensorium
