#pragma once

#include <cstdint>
#include <span>

#include "backend/backend.h"

namespace sensorium::ops {

// Each throws kInvalidArgument when shapes do not agree or a bound is crossed.

/// The heads of an attention.
struct HeadShape {
  int64_t num_heads = 0;
  int64_t num_kv_heads = 0;  ///< divides num_heads
  int64_t head_dim = 0;
};

/// Bidirectional attention inside segments [cu_seqlens[i], cu_seqlens[i + 1]) of rows: q, out [rows, num_heads * head_dim],
/// k, v [rows, num_kv_heads * head_dim]; cu_seqlens ascends from 0 to rows. The last segment's keys are all from its begin on:
/// with fewer rows in k and v its last rows ask and are not asked, with more it asks keys that ask nothing themselves.
void segment_attention(Backend& backend, ConstMatrix q, ConstMatrix k, ConstMatrix v, const HeadShape& heads, float scale,
                       std::span<const int32_t> cu_seqlens, Matrix out);

/// What each query gives its attention to: weights [rows, keys] := softmax(scale * q keys); q [rows, head_dim],
/// keys [head_dim, keys], at least one of each.
void attention_weights(Backend& backend, ConstMatrix q, ConstMatrix keys, float scale, Matrix weights);

/// Causal attention of each sequence's new rows over its cached keys (stored by write_kv): q, out [rows, num_heads * head_dim].
/// A query sees the last `window` keys up to its own.
void paged_attention(Backend& backend, const KvCache& cache, int64_t layer, ConstMatrix q, const HeadShape& heads, float scale,
                     std::span<const PagedSequence> sequences, Matrix out, int64_t window = kWholeContext);

}  // namespace sensorium::ops
