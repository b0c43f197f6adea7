#pragma once

#include <cstdint>
#include <deque>
#include <optional>
#include <string>
#include <vector>

#include "engine/block_manager.h"
#include "engine/encoder_cache.h"
#include "engine/prefix_cache.h"
#include "engine/sequence.h"

namespace sensorium {

/// Tokens [sequence->num_computed_tokens, + num_tokens) run in this step.
struct ScheduledSequence {
  SequencePtr sequence;
  int32_t num_tokens = 0;
  bool is_sampled = false;  ///< the window reaches the last token: the next one is chosen
};

/// An encoder to run before this step's forward pass; its rows are reserved in the encoder cache.
struct EncoderJob {
  std::string key;
  std::shared_ptr<const ProcessedMedia> media;
  int32_t num_rows = 0;
};

struct Schedule {
  std::vector<ScheduledSequence> sequences;
  std::vector<EncoderJob> encoder_jobs;
  int32_t num_preempted = 0;
};

/// Keys and values to copy before the next forward pass.
struct BlockCopy {
  int32_t from = 0, to = 0;
};

struct SchedulerOptions {
  int32_t max_num_seqs = 16;
  int32_t max_num_batched_tokens = 2048;
  int32_t block_size = 16;
  bool enable_prefix_caching = true;
};

struct SchedulerStats {
  int64_t prefix_queries = 0, prefix_hits = 0;    ///< tokens
  int64_t encoder_queries = 0, encoder_hits = 0;  ///< items
  int64_t num_preemptions = 0;
};

/// Decides what each step computes: sequences that decode, then prompts under way, then waiting ones in order of arrival,
/// under a budget of tokens. When blocks run out, the last running sequence is preempted: it gives up its blocks, goes to
/// the front of the queue and is computed again. Pure: no thread, no clock, no model.
class Scheduler {
 public:
  Scheduler(const SchedulerOptions& options, BlockManager& blocks, PrefixCache& prefix, EncoderCache& encoded)
      : options_(options), blocks_(blocks), prefix_(prefix), encoded_(encoded) {}

  void add(SequencePtr sequence) { waiting_.push_back(std::move(sequence)); }
  /// Blocks are allocated, encoder rows reserved or pinned for everything in the result.
  Schedule schedule();
  /// The next `num_tokens` of the sequence were computed: registers full blocks, lets go of used up encoder rows.
  void advance(Sequence& sequence, int32_t num_tokens);
  /// Starts a continuation of `parent`, whose prompt was just computed, on the parent's blocks. Without a free seat or
  /// block it goes to the front of the queue instead.
  std::optional<BlockCopy> fork(const Sequence& parent, SequencePtr child);
  /// Forgets what was computed of a sequence: it is computed again from its first token.
  void restart(Sequence& sequence) { release(sequence); }
  /// Takes the sequence out, wherever it is, and frees what it holds.
  void remove(Sequence& sequence);

  bool has_work() const { return !running_.empty() || !waiting_.empty(); }
  const std::vector<SequencePtr>& running() const { return running_; }
  const std::deque<SequencePtr>& waiting() const { return waiting_; }
  const SchedulerStats& stats() const { return stats_; }

 private:
  /// What is left of a step's means while it is being planned.
  struct Budget {
    int32_t num_tokens = 0;
    int64_t num_encoder_rows = 0;
    bool has_encoder_job = false;
    bool has_prefill = false;  ///< a prompt was served already: the first one may exceed the encoder cache
  };

  void schedule_running(bool is_decode_pass, Schedule& schedule, Budget& budget);
  void schedule_waiting(Schedule& schedule, Budget& budget);
  bool admit(const SequencePtr& sequence, Schedule& schedule, Budget& budget);
  std::vector<PrefixCache::Entry> find_prefix(const Sequence& sequence) const;
  bool has_room_for(const Sequence& sequence, const std::vector<PrefixCache::Entry>& prefix) const;
  /// Number of tokens, at most `num_tokens`, whose encoder rows are there or could be reserved.
  int32_t claim_media(Sequence& sequence, int32_t num_tokens, Schedule& schedule, Budget& budget);
  bool claim_item(Sequence& sequence, int32_t item, Schedule& schedule, Budget& budget);
  /// Grows a block table, preempting others where blocks have run out; false when the sequence itself had to go.
  bool grow(std::vector<int32_t>& table, int64_t num_blocks, Sequence& sequence, Schedule& schedule, Budget& budget);
  void count_admission(const Sequence& sequence);
  bool claim_blocks(Sequence& sequence, int32_t num_tokens, Schedule& schedule, Budget& budget);
  void push(const SequencePtr& sequence, int32_t num_tokens, Schedule& schedule, Budget& budget);
  void preempt_last(Schedule& schedule, Budget& budget);
  void register_blocks(Sequence& sequence);
  void release(Sequence& sequence);
  int64_t num_blocks_for(int32_t num_tokens) const { return (num_tokens + options_.block_size - 1) / options_.block_size; }

  SchedulerOptions options_;
  BlockManager& blocks_;
  PrefixCache& prefix_;
  EncoderCache& encoded_;
  std::vector<SequencePtr> running_;  ///< by arrival
  std::deque<SequencePtr> waiting_;
  SchedulerStats stats_;
};

}  // namespace sensorium
