#include "layers/token_alignment.h"

#include <cmath>

#include "core/error.h"
#include "ops/attention.h"
#include "ops/elementwise.h"
#include "ops/kv_cache.h"
#include "ops/median_filter.h"
#include "ops/norm.h"
#include "ops/time_warp.h"

namespace sensorium {
namespace {

void check_alignment(const TokenAlignment& alignment) {
  const auto num_heads = static_cast<int64_t>(alignment.heads.size());
  if (num_heads == 0 || alignment.queries.cols % num_heads != 0 || alignment.num_frames < 1) {
    throw Error(ErrorCode::kInvalidArgument, "queries, heads and frames of an alignment do not agree");
  }
  if (alignment.first_token < 0 || alignment.num_tokens < 1 ||
      alignment.first_token > alignment.queries.rows - alignment.num_tokens) {
    throw Error(ErrorCode::kInvalidArgument, "the tokens to align are not among those of the queries");
  }
}

/// Columns that the filter needs at either side; a row that is too short to mirror is not filtered.
int64_t edge_width(const TokenAlignment& alignment) {
  const int64_t half = alignment.filter_width / 2;
  return alignment.num_frames > half ? half : 0;
}

}  // namespace

void alignment_weights(Backend& backend, Arena& arena, const KvCache& cache, const TokenAlignment& alignment, Matrix weights) {
  check_alignment(alignment);
  const Arena::Scope scope(arena);
  const auto num_heads = static_cast<int64_t>(alignment.heads.size());
  const int64_t head_dim = alignment.queries.cols / num_heads, num_tokens = alignment.queries.rows;
  const int64_t edge = edge_width(alignment), num_frames = alignment.num_frames;
  const Matrix keys = arena.matrix(head_dim, num_frames);
  const Matrix padded = arena.matrix(num_tokens, num_frames + 2 * edge), given = padded.columns(edge, num_frames);
  const Matrix filtered = arena.matrix(num_tokens, num_frames);
  for (int64_t i = 0; i < num_heads; ++i) {
    const AttentionHead& head = alignment.heads[static_cast<size_t>(i)];
    ops::read_keys(backend, cache, head.layer, head.index, alignment.block_table, keys);
    ops::attention_weights(backend, alignment.queries.columns(i * head_dim, head_dim), keys,
                           1.0F / std::sqrt(static_cast<float>(head_dim)), given);
    ops::standardize_columns(backend, given);
    if (edge > 0) ops::mirror_edges(backend, padded, edge);
    const Matrix target = i == 0 ? weights : filtered;
    ops::median_filter(backend, padded, 2 * edge + 1, target);
    if (i > 0) ops::add(backend, filtered, weights);
  }
  for (int64_t r = 0; r < weights.rows; ++r) {
    for (int64_t c = 0; c < weights.cols; ++c) weights.row(r)[c] /= static_cast<float>(num_heads);
  }
}

std::vector<int32_t> align_tokens(Backend& backend, Arena& arena, const KvCache& cache, const TokenAlignment& alignment) {
  const Arena::Scope scope(arena);
  const Matrix weights = arena.matrix(alignment.queries.rows, alignment.num_frames);
  alignment_weights(backend, arena, cache, alignment, weights);
  return ops::time_warp(weights.row_range(alignment.first_token, alignment.num_tokens));
}

}  // namespace sensorium
