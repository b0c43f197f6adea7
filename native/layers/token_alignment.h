#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "backend/backend.h"
#include "core/arena.h"

namespace sensorium {

/// One head of one layer's attention.
struct AttentionHead {
  int64_t layer = 0;
  int64_t index = 0;
};

/// Tokens of a decoder whose cross-attention tells where they lie in what the encoder heard.
struct TokenAlignment {
  ConstMatrix queries;                   ///< [tokens, heads * head_dim] of the cross-attention, head by head
  std::span<const AttentionHead> heads;  ///< whose attention follows the sound
  std::span<const int32_t> block_table;  ///< where the keys of the encoder rows lie in the cache
  int64_t num_frames = 0;                ///< leading encoder rows that tokens can lie in
  int64_t filter_width = 1;              ///< odd: of the median filter along the encoder rows
  int64_t first_token = 0;               ///< aligned are tokens [first_token, first_token + num_tokens)
  int64_t num_tokens = 0;
};

/// What each token gives to each encoder row, as the heads see it: probabilities, each encoder row's brought to mean 0 and
/// deviation 1 over all tokens, median-filtered, averaged over the heads. weights [tokens, num_frames].
/// Throws kInvalidArgument when shapes do not agree.
void alignment_weights(Backend& backend, Arena& arena, const KvCache& cache, const TokenAlignment& alignment, Matrix weights);

/// First encoder row of each aligned token, ascending from 0: [num_tokens]. Throws as above.
/// Source: find_alignment of openai-whisper.
std::vector<int32_t> align_tokens(Backend& backend, Arena& arena, const KvCache& cache, const TokenAlignment& alignment);

}  // namespace sensorium
