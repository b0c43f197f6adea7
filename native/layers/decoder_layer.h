#pragma once

#include <cstdint>
#include <optional>
#include <span>

#include "core/arena.h"
#include "layers/linear.h"
#include "layers/mlp.h"
#include "layers/norm.h"
#include "ops/attention.h"

namespace sensorium {

/// What the attention of all layers needs in one step.
struct AttentionStep {
  KvCache& cache;
  ConstMatrix cos, sin;  ///< [rows, rotary_dim / 2]
  std::span<const int32_t> slots;
  std::span<const PagedSequence> sequences;
};

/// A pre-norm decoder layer with causal paged attention: x += attention(norm(x)); x += mlp(norm(x)).
class DecoderLayer {
 public:
  struct Parts {
    Norm attention_norm;
    Linear qkv;  ///< q‖k‖v
    Linear attention_out;
    Norm mlp_norm;
    Mlp mlp;
    ops::HeadShape heads;
    int64_t index;  ///< its layer of the cache
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
