#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "core/error.h"
#include "engine/decoding_rules.h"
#include "models/model.h"

namespace sensorium {

struct SamplingParams {
  float temperature = 1.0F;  ///< 0: greedy
  float top_p = 1.0F;
  int32_t top_k = 0;  ///< 0: off
  float min_p = 0.0F;
  float repetition_penalty = 1.0F;  ///< over prompt and generated tokens
  float presence_penalty = 0.0F;    ///< over generated tokens
  float frequency_penalty = 0.0F;   ///< over generated tokens
  std::vector<std::pair<int32_t, float>> logit_bias;
  std::optional<uint64_t> seed;
  int32_t max_tokens = 16;
  int32_t min_tokens = 0;  ///< stop ids are not chosen before
  bool ignore_eos = false;
  std::vector<int32_t> stop_token_ids;  ///< besides the model's eos ids
  std::optional<int32_t> num_logprobs;  ///< absent: none; n: the chosen token's and the n best
  int32_t n = 1;                        ///< independent continuations that share the prompt's blocks
  std::vector<int32_t> allowed_ids;     ///< only these are chosen; log-probabilities stay those of all tokens. Empty: any
  DecodingRules rules;
};

/// What a request asks for: an answer, the hidden state of the prompt's last token (an embedding), or where the prompt's
/// tokens lie in what the encoder heard.
enum class RequestKind { kGenerate, kPool, kAlign };

/// Which tokens are to be found in which part of the sound, and how. See TokenAlignment.
struct AlignmentParams {
  std::vector<AttentionHead> heads;
  int32_t filter_width = 7;
  int32_t first_token = 0, num_tokens = 0;
  int32_t num_frames = 0;
};

/// A checked request. The prompt is already expanded: each placeholder token stands once per encoder row. A request of an
/// encoder-decoder model has one media item without runs, which the decoder attends to.
struct EngineRequest {
  uint64_t id = 0;
  std::vector<int32_t> prompt_ids;
  std::vector<MediaItem> media;
  SamplingParams sampling;
  std::string cache_salt;  ///< tenant: prefix blocks are shared only between equal salts
  RequestKind kind = RequestKind::kGenerate;
  bool is_normalized = true;  ///< pooled: scaled to length 1
  AlignmentParams alignment;  ///< with kAlign
};

enum class FinishReason { kStop, kLength, kAborted, kError };

struct TokenLogprob {
  int32_t token_id = 0;
  float logprob = 0.0F;
  int32_t rank = 0;                            ///< 1: the most likely
  std::vector<std::pair<int32_t, float>> top;  ///< num_logprobs best, best first
};

struct RequestTimings {
  double queued_ms = 0, encode_ms = 0, prefill_ms = 0, decode_ms = 0;
};

/// News of one continuation after one step.
struct SequenceEvent {
  uint64_t request_id = 0;
  int32_t index = 0;  ///< which of the n
  std::vector<int32_t> token_ids;
  std::vector<TokenLogprob> logprobs;  ///< as token_ids, when asked for
  std::optional<FinishReason> finish_reason;
  std::optional<int32_t> stop_token_id;  ///< which id ended it (also last of token_ids)
  std::string error_message;             ///< with kError
  ErrorCode error_code = ErrorCode::kInternal;
  int32_t num_cached_tokens = 0;  ///< prompt tokens taken from the prefix cache
  int32_t num_cached_media = 0;   ///< media items that were not encoded for this request
  RequestTimings timings;         ///< filled with finish_reason
  /// Pooled requests: [hidden_size] after the final norm, with finish_reason kStop.
  std::vector<float> embedding;
  /// Aligned requests: the first encoder row of each token, [num_tokens], with finish_reason kStop.
  std::vector<int32_t> token_frames;
};

struct EngineStats {
  int64_t num_running = 0, num_waiting = 0;
  int64_t num_blocks = 0, num_used_blocks = 0;  ///< used: held by live requests; reusable prefix blocks are not use
  int64_t prefix_queries = 0, prefix_hits = 0, prefix_evictions = 0;     ///< in tokens, tokens, blocks
  int64_t encoder_queries = 0, encoder_hits = 0, encoder_evictions = 0;  ///< in items
  int64_t num_cached_blocks = 0;                                         ///< whose content can be found again, used or not
  size_t encoder_cache_bytes = 0, kv_cache_bytes = 0, prefix_cache_bytes = 0, weight_bytes = 0;
  int64_t num_steps = 0, num_preemptions = 0, num_prompt_tokens = 0, num_generated_tokens = 0;
};

struct EngineOptions {
  int32_t max_num_seqs = 16;
  int32_t max_num_batched_tokens = 2048;
  int32_t max_model_len = 4096;  ///< tokens of prompt and answer; no more than the KV cache holds either way
  int32_t block_size = 16;
  int64_t num_blocks = 0;  ///< decided by the caller from bytes
  size_t encoder_cache_bytes = 256u << 20;
  bool enable_prefix_caching = true;
  std::vector<int32_t> eos_token_ids;
  int32_t max_queued = 1024;
};

/// Continuous batching on one thread of its own. All methods are thread-safe and return at once.
class Engine {
 public:
  /// One call a step, from the engine thread, with the news of all sequences. Must not block or throw.
  using EventSink = std::function<void(std::vector<SequenceEvent>&&)>;

  Engine(std::unique_ptr<Backend> backend, std::unique_ptr<Model> model, const EngineOptions& options, EventSink sink);
  ~Engine();  ///< stops and joins; running requests end with kAborted

  /// Checks and queues. Throws kInvalidArgument (empty or too long prompt, ids out of the vocabulary, runs that do not
  /// match the encoder's rows, a request that can never fit), kOutOfMemory when the queue is full.
  void submit(EngineRequest request);
  /// Ends a request (all n) with kAborted; its blocks are free before the next step. Unknown ids are ignored.
  void abort(uint64_t request_id);
  /// Ends one continuation of a request (stop string found); its siblings go on.
  void abort_sequence(uint64_t request_id, int32_t index);
  EngineStats stats() const;
  /// True when the encoder cache holds rows for this key now.
  bool has_encoded(const std::string& media_key) const;
  void reset_caches();  ///< prefix and encoder cache; in use entries stay
  const ModelInfo& model_info() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace sensorium
