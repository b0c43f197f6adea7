#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "engine/engine.h"
#include "engine/prefix_cache.h"
#include "engine/token_history.h"

namespace sensorium {

using Clock = std::chrono::steady_clock;

/// A stretch of placeholder tokens and the encoder rows that replace their embeddings.
struct MediaRun {
  int32_t offset = 0;     ///< first placeholder in the prompt
  int32_t count = 0;      ///< placeholders, and rows
  int32_t item = 0;       ///< index into the request's media
  int32_t row_begin = 0;  ///< encoder row of the first placeholder
};

/// Where a token stands on the axes of M-RoPE; all equal for plain text.
struct TokenPosition {
  float t = 0.0F, h = 0.0F, w = 0.0F;
};

/// How a media item's rows came to be, once that is known.
enum class MediaOrigin : uint8_t { kUnknown, kEncoded, kCached };

/// A checked request; its continuations share it.
struct Request {
  EngineRequest input;
  PromptPositions positions;
  std::vector<MediaRun> runs;       ///< of all items, by offset
  std::vector<size_t> media_bytes;  ///< [num_media] of each item's encoder rows
  std::vector<int32_t> stop_ids;    ///< sorted: the model's eos ids, unless ignored, and the request's own
  uint64_t seed = 0;
  int32_t max_length = 0;      ///< tokens of prompt and answer that have room
  int32_t num_cross_rows = 0;  ///< encoder rows of media[0], which the decoder attends to; 0: no cross-attention
  /// Sequences of more tokens than this have other keys than shorter ones; absent: all have the same.
  std::optional<int64_t> short_context;
  /// Continuations that wait for the prompt: all but the one that computes it.
  std::vector<int32_t> unforked_indices;

  std::vector<MediaOrigin> media_origins;    ///< [num_media]
  std::optional<int32_t> num_cached_tokens;  ///< of the first admission
  Clock::time_point submitted_at;
  std::optional<Clock::time_point> started_at;
  double encode_ms = 0;

  int32_t prompt_length() const { return static_cast<int32_t>(input.prompt_ids.size()); }
  int32_t num_cached_media() const;
  /// Encoder rows of an item.
  int32_t num_media_rows(int32_t item) const {
    return num_cross_rows > 0 ? num_cross_rows : input.media[static_cast<size_t>(item)].num_tokens();
  }
};

/// One continuation of a request. Only the scheduler changes its blocks and held media.
struct Sequence {
  std::shared_ptr<Request> request;
  int32_t index = 0;
  std::vector<int32_t> output_ids;
  TokenHistory history;
  std::optional<Clock::time_point> first_token_at;

  int32_t num_computed_tokens = 0;  ///< tokens whose keys and values are in block_table
  std::vector<int32_t> block_table;
  std::vector<int32_t> cross_block_table;  ///< keys and values of encoder rows; stored with the first computed tokens
  int32_t num_registered_blocks = 0;       ///< leading blocks known to the prefix cache
  uint64_t last_registered_id = 0;         ///< prefix cache identity of the last of them
  std::vector<int32_t> held_media;         ///< items whose encoder rows are pinned
  std::vector<float> queries;              ///< of the computed tokens, where they are to be aligned
  bool is_running = false;

  int32_t num_tokens() const { return request->prompt_length() + static_cast<int32_t>(output_ids.size()); }
  int32_t num_uncomputed_tokens() const { return num_tokens() - num_computed_tokens; }
  /// Whether the keys of all its tokens are those of a long context.
  bool is_long_context() const { return request->short_context && num_tokens() > *request->short_context; }
  /// Whether its newest token made it one: keys computed before do not serve it.
  bool has_become_long_context() const { return request->short_context && num_tokens() == *request->short_context + 1; }
  bool is_decoding() const { return num_uncomputed_tokens() == 1; }
  /// Token at `index` of prompt and answer.
  int32_t token(int32_t index) const {
    const int32_t length = request->prompt_length();
    return index < length ? request->input.prompt_ids[static_cast<size_t>(index)]
                          : output_ids[static_cast<size_t>(index - length)];
  }
  /// Position of the token at `index` of prompt and answer.
  TokenPosition position(int32_t index) const {
    const PromptPositions& prompt = request->positions;
    const auto i = static_cast<size_t>(index);
    if (i < prompt.t.size()) return {prompt.t[i], prompt.h[i], prompt.w[i]};
    const float generated = static_cast<float>(index) + prompt.delta;
    return {generated, generated, generated};
  }
};
using SequencePtr = std::shared_ptr<Sequence>;

/// Runs of all items by offset. Throws kInvalidArgument naming the item on empty, overlapping or outlying runs.
std::vector<MediaRun> sorted_runs(const std::vector<MediaItem>& media, int32_t prompt_length);

/// What block `block_index` of the sequence holds, following the registered block `parent_id`.
BlockKey block_key(const Sequence& sequence, int32_t block_index, int32_t block_size, uint64_t parent_id);

/// The runs that overlap tokens [begin, end).
std::span<const MediaRun> overlapping_runs(const Request& request, int32_t begin, int32_t end);

}  // namespace sensorium
