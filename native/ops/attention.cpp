#include "ops/attention.h"

#include <algorithm>
#include <cmath>

#include "ops/parallel_rows.h"
#include "ops/shape_check.h"

namespace sensorium::ops {
namespace {

void check_heads(std::string_view op, const HeadShape& heads) {
  check(heads.num_heads > 0 && heads.num_kv_heads > 0 && heads.head_dim > 0, op, "head counts and head_dim must be positive");
  check(heads.num_heads % heads.num_kv_heads == 0, op, "num_heads is no multiple of num_kv_heads");
}

void check_segments(std::span<const int32_t> cu_seqlens, int64_t rows) {
  check(!cu_seqlens.empty() && cu_seqlens.front() == 0, "segment_attention", "cu_seqlens does not begin with 0");
  for (size_t i = 1; i < cu_seqlens.size(); ++i) {
    check(cu_seqlens[i - 1] <= cu_seqlens[i], "segment_attention", "cu_seqlens does not ascend");
  }
  check_equal("segment_attention", "last of cu_seqlens", cu_seqlens.back(), rows);
}

void check_sequence(const KvCache& cache, const PagedSequence& sequence, int64_t rows) {
  constexpr std::string_view kOp = "paged_attention";
  check(sequence.query_begin >= 0 && sequence.num_query_tokens >= 0, kOp, "negative query range");
  check(int64_t{sequence.query_begin} + sequence.num_query_tokens <= rows, kOp, "query range ends behind the last row");
  check(sequence.kv_length >= sequence.num_query_tokens, kOp, "kv_length is shorter than the queries");
  const int64_t num_blocks = (sequence.kv_length + cache.block_size() - 1) / cache.block_size();
  check(static_cast<int64_t>(sequence.block_table.size()) >= num_blocks, kOp, "block_table is shorter than kv_length");
  for (int64_t i = 0; i < num_blocks; ++i) {
    check_index(kOp, "block of block_table", sequence.block_table[static_cast<size_t>(i)], 0, cache.num_blocks());
  }
}

void softmax(float* row, int64_t count) {
  const float highest = *std::max_element(row, row + count);
  float sum = 0;
  for (int64_t i = 0; i < count; ++i) sum += row[i] = std::exp(row[i] - highest);
  for (int64_t i = 0; i < count; ++i) row[i] /= sum;
}

}  // namespace

void segment_attention(Backend& backend, ConstMatrix q, ConstMatrix k, ConstMatrix v, const HeadShape& heads, float scale,
                       std::span<const int32_t> cu_seqlens, Matrix out) {
  constexpr std::string_view kOp = "segment_attention";
  check_heads(kOp, heads);
  check_equal(kOp, "columns of q", q.cols, heads.num_heads * heads.head_dim);
  check_shape(kOp, "k", k, k.rows, heads.num_kv_heads * heads.head_dim);
  check_shape(kOp, "v", v, k.rows, heads.num_kv_heads * heads.head_dim);
  check_shape(kOp, "out", out, q.rows, q.cols);
  check_segments(cu_seqlens, q.rows);
  check(k.rows == q.rows || (cu_seqlens.size() > 1 && k.rows > cu_seqlens[cu_seqlens.size() - 2]), kOp,
        "k does not reach into the last segment");
  backend.segment_attention(q, k, v, heads.num_heads, heads.num_kv_heads, heads.head_dim, scale, cu_seqlens, out);
}

void attention_weights(Backend& backend, ConstMatrix q, ConstMatrix keys, float scale, Matrix weights) {
  constexpr std::string_view kOp = "attention_weights";
  check(keys.rows > 0 && keys.cols > 0, kOp, "there are no keys");
  check_equal(kOp, "columns of q", q.cols, keys.rows);
  check_shape(kOp, "weights", weights, q.rows, keys.cols);
  for_each_row(backend, q.rows, keys.rows * keys.cols, [&](int64_t r) {
    float* row = weights.row(r);
    std::fill_n(row, keys.cols, 0.0F);
    for (int64_t d = 0; d < keys.rows; ++d) {
      const float factor = q.row(r)[d] * scale;
      const float* key = keys.row(d);
      for (int64_t c = 0; c < keys.cols; ++c) row[c] += factor * key[c];
    }
    softmax(row, keys.cols);
  });
}

void paged_attention(Backend& backend, const KvCache& cache, int64_t layer, ConstMatrix q, const HeadShape& heads, float scale,
                     std::span<const PagedSequence> sequences, Matrix out, int64_t window) {
  constexpr std::string_view kOp = "paged_attention";
  check_heads(kOp, heads);
  check_equal(kOp, "columns of q", q.cols, heads.num_heads * heads.head_dim);
  check_shape(kOp, "out", out, q.rows, q.cols);
  check(window >= 1, kOp, "the window is empty");
  for (const PagedSequence& sequence : sequences) check_sequence(cache, sequence, q.rows);
  backend.paged_attention(cache, layer, q, heads.num_heads, scale, window, sequences, out);
}

}  // namespace sensorium::ops
