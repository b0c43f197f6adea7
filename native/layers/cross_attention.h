#pragma once

#include <cstdint>
#include <span>

#include "core/arena.h"
#include "layers/linear.h"
#include "layers/norm.h"
#include "ops/attention.h"

namespace sensorium {

/// Pre-norm attention of decoder rows over an encoder's rows, whose keys and values lie in the paged cache:
/// x += attention(norm(x)).
class CrossAttention {
 public:
  struct Parts {
    Norm norm;
    Linear q;
    Linear kv;  ///< k‖v of encoder rows
    Linear out;
    ops::HeadShape heads;
    int64_t index;  ///< its layer of the cache
  };

  explicit CrossAttention(Parts parts) : parts_(std::move(parts)) {}
  /// Stores the keys and values of encoder rows [slots, encoder width].
  void store(Backend& backend, Arena& arena, KvCache& cache, ConstMatrix rows, std::span<const int32_t> slots) const;
  /// What rows [rows, hidden_size] ask of the encoder's: q [rows, num_heads * head_dim], without the scale of attention.
  void query(Backend& backend, Arena& arena, ConstMatrix hidden, Matrix q) const;
  /// hidden [rows, hidden_size], in place. Each of `queries` is one row and the encoder rows that it sees.
  void attend(Backend& backend, Arena& arena, const KvCache& cache, std::span<const PagedSequence> queries,
              Matrix hidden) const;

 private:
  Parts parts_;
};

}  // namespace sensorium
