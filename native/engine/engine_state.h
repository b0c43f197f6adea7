#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "engine/model_runner.h"

namespace sensorium {

using Events = std::vector<SequenceEvent>;

/// The requests of an engine and their caches, from arrival to the last event. No thread of its own; the caller locks.
class EngineState {
 public:
  explicit EngineState(const EngineOptions& options);

  /// Throws kInvalidArgument when the id is in use, kOutOfMemory when the queue is full.
  void add(std::shared_ptr<Request> request);
  void abort(uint64_t request_id, Events& events);
  void abort_sequence(uint64_t request_id, int32_t index, Events& events);
  /// Ends everything.
  void finish_all(FinishReason reason, const Failure& failure, Events& events);

  Schedule schedule();
  /// Stores the rows of a job; `encode_ms` counts for the requests that wait for them.
  void store_encoded(const EncoderJob& job, Tensor rows, double encode_ms, const Schedule& schedule);
  /// Ends the sequences that need the rows; is_running tells which.
  void fail_encoded(const EncoderJob& job, const Failure& failure, const Schedule& schedule, Events& events);
  /// Takes over what a step computed.
  void commit(const Outcome& outcome, KvCache& kv_cache, Events& events);

  bool has_work() const { return scheduler_.has_work(); }
  /// Fills all but the sizes of weights and KV cache.
  EngineStats stats() const;
  const EncoderCache& encoder_cache() const { return encoder_cache_; }
  void reset_caches();

 private:
  std::vector<SequencePtr> sequences_of(uint64_t request_id) const;
  /// Appends a token, says so, and yields whether the continuation ended with it.
  bool append(Sequence& sequence, const SampledToken& sampled, Events& events);
  /// Says the result of a request that generates nothing, and ends it.
  void commit_result(Sequence& sequence, const Outcome& outcome, Events& events);
  void commit_fork(const Sequence& parent, const Choice& choice, KvCache& kv_cache, Events& events);
  /// Ends one continuation, or with `with_unforked` also those that wait for its prompt.
  void finish(Sequence& sequence, FinishReason reason, const Failure& failure, bool with_unforked, Events& events);
  void emit_finish(const Sequence& sequence, int32_t index, FinishReason reason, const Failure& failure, Events& events);
  void forget_one(uint64_t request_id);

  EngineOptions options_;
  BlockManager blocks_;
  PrefixCache prefix_cache_;
  EncoderCache encoder_cache_;
  Scheduler scheduler_;
  std::unordered_map<uint64_t, int32_t> num_live_;  ///< continuations that have not ended, by request id
  int64_t num_steps_ = 0, num_prompt_tokens_ = 0, num_generated_tokens_ = 0;
};

}  // namespace sensorium
