#pragma once

#include <cstdint>
#include <optional>
#include <span>

#include "core/arena.h"
#include "layers/linear.h"
#include "layers/mlp.h"
#include "layers/norm.h"

namespace sensorium {

/// Rotation of the rows of an encoder; data == nullptr: none.
struct RotaryRows {
  ConstMatrix cos, sin;
};

/// A pre-norm transformer block with bidirectional attention inside segments: x += attention(norm(x)); x += mlp(norm(x)).
class EncoderBlock {
 public:
  struct Parts {
    Norm attention_norm;
    Linear qkv;  ///< q‖k‖v
    Linear attention_out;
    Norm mlp_norm;
    Mlp mlp;
    int64_t num_heads;
  };

  explicit EncoderBlock(Parts parts) : parts_(std::move(parts)) {}
  /// hidden [rows, hidden_size], in place; cu_seqlens bounds the segments. `num_keys`, where given, of all rows are seen: those
  /// behind them, in the last segment, only see.
  void forward(Backend& backend, Arena& arena, Matrix hidden, const RotaryRows& rotary, std::span<const int32_t> cu_seqlens,
               std::optional<int64_t> num_keys = std::nullopt) const;

 private:
  void attend(Backend& backend, Arena& arena, Matrix hidden, const RotaryRows& rotary, std::span<const int32_t> cu_seqlens,
              int64_t num_keys) const;

  Parts parts_;
};

}  // namespace sensorium
