#include "engine/scheduler.h"

#include <algorithm>

namespace sensorium {
namespace {

auto find_sequence(auto& sequences, const Sequence& sequence) {
  return std::find_if(sequences.begin(), sequences.end(), [&](const SequencePtr& entry) { return entry.get() == &sequence; });
}

}  // namespace

Schedule Scheduler::schedule() {
  Schedule schedule;
  Budget budget;
  budget.num_tokens = options_.max_num_batched_tokens;
  budget.num_encoder_rows = options_.max_num_batched_tokens;
  schedule_running(true, schedule, budget);
  schedule_running(false, schedule, budget);
  if (schedule.num_preempted == 0) schedule_waiting(schedule, budget);
  // A reserved entry vanished with a sequence that was preempted after it had asked for it.
  std::erase_if(schedule.encoder_jobs, [&](const EncoderJob& job) { return !encoded_.is_reserved(job.key); });
  return schedule;
}

void Scheduler::schedule_running(bool is_decode_pass, Schedule& schedule, Budget& budget) {
  for (size_t i = 0; i < running_.size() && budget.num_tokens > 0; ++i) {
    const SequencePtr sequence = running_[i];
    if (sequence->is_decoding() != is_decode_pass) continue;
    const int32_t wanted = std::min(sequence->num_uncomputed_tokens(), budget.num_tokens);
    const int32_t num_tokens = claim_media(*sequence, wanted, schedule, budget);
    if (!is_decode_pass) budget.has_prefill = true;
    if (num_tokens > 0 && claim_blocks(*sequence, num_tokens, schedule, budget)) {
      push(sequence, num_tokens, schedule, budget);
    }
  }
}

void Scheduler::schedule_waiting(Schedule& schedule, Budget& budget) {
  while (!waiting_.empty() && budget.num_tokens > 0 && running_.size() < static_cast<size_t>(options_.max_num_seqs)) {
    const SequencePtr sequence = waiting_.front();
    if (!admit(sequence, schedule, budget)) return;
  }
}

bool Scheduler::admit(const SequencePtr& sequence, Schedule& schedule, Budget& budget) {
  const auto prefix = find_prefix(*sequence);
  if (!has_room_for(*sequence, prefix)) return false;
  for (const PrefixCache::Entry& entry : prefix) {
    blocks_.acquire(entry.block);
    sequence->block_table.push_back(entry.block);
    sequence->last_registered_id = entry.id;
  }
  sequence->num_registered_blocks = static_cast<int32_t>(prefix.size());
  sequence->num_computed_tokens = sequence->num_registered_blocks * options_.block_size;

  const int32_t wanted = std::min(sequence->num_uncomputed_tokens(), budget.num_tokens);
  const int32_t num_tokens = claim_media(*sequence, wanted, schedule, budget);
  budget.has_prefill = true;
  if (num_tokens == 0) {
    release(*sequence);
    return false;
  }
  waiting_.pop_front();
  sequence->is_running = true;
  running_.push_back(sequence);
  if (!claim_blocks(*sequence, num_tokens, schedule, budget)) return false;
  count_admission(*sequence);
  push(sequence, num_tokens, schedule, budget);
  return true;
}

void Scheduler::count_admission(const Sequence& sequence) {
  Request& request = *sequence.request;
  if (request.num_cached_tokens.has_value()) return;
  request.num_cached_tokens = sequence.num_computed_tokens;
  stats_.prefix_queries += request.prompt_length();
  stats_.prefix_hits += sequence.num_computed_tokens;
  std::vector<int32_t> ends(request.input.media.size(), 0);
  for (const MediaRun& run : request.runs) ends[static_cast<size_t>(run.item)] = run.offset + run.count;
  for (size_t item = 0; item < ends.size(); ++item) {
    if (ends[item] <= sequence.num_computed_tokens) request.media_origins[item] = MediaOrigin::kCached;
  }
}

std::vector<PrefixCache::Entry> Scheduler::find_prefix(const Sequence& sequence) const {
  std::vector<PrefixCache::Entry> prefix;
  if (!options_.enable_prefix_caching) return prefix;
  // The last token is always computed: its row yields the next token's logits.
  const int32_t num_full_blocks = (sequence.num_tokens() - 1) / options_.block_size;
  uint64_t parent_id = 0;
  for (int32_t i = 0; i < num_full_blocks; ++i) {
    const auto entry = prefix_.find(block_key(sequence, i, options_.block_size, parent_id));
    if (!entry) break;
    prefix.push_back(*entry);
    parent_id = entry->id;
  }
  return prefix;
}

bool Scheduler::has_room_for(const Sequence& sequence, const std::vector<PrefixCache::Entry>& prefix) const {
  int64_t num_free = blocks_.num_available();
  for (const PrefixCache::Entry& entry : prefix) num_free -= blocks_.is_used(entry.block) ? 0 : 1;
  // What the running ones still need for the tokens they have, and one block each to grow.
  for (const SequencePtr& running : running_) {
    num_free -= num_blocks_for(running->num_tokens()) - static_cast<int64_t>(running->block_table.size()) + 1;
  }
  const int64_t num_needed = num_blocks_for(sequence.num_tokens()) + num_blocks_for(sequence.request->num_cross_rows);
  return num_free >= num_needed - static_cast<int64_t>(prefix.size());
}

int32_t Scheduler::claim_media(Sequence& sequence, int32_t num_tokens, Schedule& schedule, Budget& budget) {
  const int32_t begin = sequence.num_computed_tokens;
  const bool needs_cross = sequence.request->num_cross_rows > 0 && begin == 0;
  if (needs_cross && !claim_item(sequence, 0, schedule, budget)) return 0;
  for (const MediaRun& run : overlapping_runs(*sequence.request, begin, begin + num_tokens)) {
    if (!claim_item(sequence, run.item, schedule, budget)) return std::max(0, run.offset - begin);
  }
  return num_tokens;
}

bool Scheduler::claim_item(Sequence& sequence, int32_t item, Schedule& schedule, Budget& budget) {
  auto& held = sequence.held_media;
  if (std::find(held.begin(), held.end(), item) != held.end()) return true;
  Request& request = *sequence.request;
  const MediaItem& media = request.input.media[static_cast<size_t>(item)];
  const bool is_hit = encoded_.acquire(media.key);
  if (!is_hit) {
    const size_t size_bytes = request.media_bytes[static_cast<size_t>(item)];
    const int32_t num_rows = request.num_media_rows(item);
    if (budget.has_encoder_job && num_rows > budget.num_encoder_rows) return false;
    if (budget.has_prefill && !encoded_.has_room(size_bytes)) return false;
    encoded_.reserve(media.key, size_bytes);
    schedule.encoder_jobs.push_back({media.key, media.media, num_rows});
    budget.num_encoder_rows -= num_rows;
    budget.has_encoder_job = true;
  }
  held.push_back(item);
  MediaOrigin& origin = request.media_origins[static_cast<size_t>(item)];
  if (origin == MediaOrigin::kUnknown) {
    origin = is_hit ? MediaOrigin::kCached : MediaOrigin::kEncoded;
    stats_.encoder_queries++;
    stats_.encoder_hits += is_hit ? 1 : 0;
  }
  return true;
}

bool Scheduler::claim_blocks(Sequence& sequence, int32_t num_tokens, Schedule& schedule, Budget& budget) {
  return grow(sequence.cross_block_table, num_blocks_for(sequence.request->num_cross_rows), sequence, schedule, budget) &&
         grow(sequence.block_table, num_blocks_for(sequence.num_computed_tokens + num_tokens), sequence, schedule, budget);
}

bool Scheduler::grow(std::vector<int32_t>& table, int64_t num_blocks, Sequence& sequence, Schedule& schedule, Budget& budget) {
  while (std::ssize(table) < num_blocks) {
    if (const auto block = blocks_.allocate()) {
      table.push_back(*block);
      continue;
    }
    const bool is_last = running_.back().get() == &sequence;
    preempt_last(schedule, budget);
    if (is_last) return false;
  }
  return true;
}

void Scheduler::push(const SequencePtr& sequence, int32_t num_tokens, Schedule& schedule, Budget& budget) {
  schedule.sequences.push_back({sequence, num_tokens, num_tokens == sequence->num_uncomputed_tokens()});
  budget.num_tokens -= num_tokens;
}

void Scheduler::preempt_last(Schedule& schedule, Budget& budget) {
  const SequencePtr victim = running_.back();
  running_.pop_back();
  victim->is_running = false;
  release(*victim);
  waiting_.push_front(victim);
  std::erase_if(schedule.sequences, [&](const ScheduledSequence& entry) {
    if (entry.sequence != victim) return false;
    budget.num_tokens += entry.num_tokens;
    return true;
  });
  schedule.num_preempted++;
  stats_.num_preemptions++;
}

void Scheduler::advance(Sequence& sequence, int32_t num_tokens) {
  sequence.num_computed_tokens += num_tokens;
  if (options_.enable_prefix_caching) register_blocks(sequence);
  std::erase_if(sequence.held_media, [&](int32_t item) {
    const MediaItem& media = sequence.request->input.media[static_cast<size_t>(item)];
    // Cross-attention reads an item's rows with the first tokens, placeholders read theirs up to the last one.
    const int32_t last_needed = media.runs.empty() ? 1 : media.runs.back().offset + media.runs.back().count;
    if (last_needed > sequence.num_computed_tokens) return false;
    encoded_.release(media.key);
    return true;
  });
}

void Scheduler::register_blocks(Sequence& sequence) {
  const int32_t num_full_blocks = sequence.num_computed_tokens / options_.block_size;
  for (int32_t& i = sequence.num_registered_blocks; i < num_full_blocks; ++i) {
    int32_t& block = sequence.block_table[static_cast<size_t>(i)];
    const auto entry = prefix_.insert(block_key(sequence, i, options_.block_size, sequence.last_registered_id), block);
    sequence.last_registered_id = entry.id;
    if (entry.block == block) continue;
    // Another sequence computed the same content: use its block. So whoever uses a registered block uses its parent
    // too, and a parent is never evicted before its children.
    blocks_.acquire(entry.block);
    blocks_.release(block);
    block = entry.block;
  }
}

std::optional<BlockCopy> Scheduler::fork(const Sequence& parent, SequencePtr child) {
  const int32_t length = parent.request->prompt_length();
  const auto num_full_blocks = static_cast<size_t>(length / options_.block_size);
  const bool has_partial_block = length % options_.block_size != 0;
  std::optional<int32_t> own_block;
  if (running_.size() < static_cast<size_t>(options_.max_num_seqs) && has_partial_block) own_block = blocks_.allocate();
  if (running_.size() >= static_cast<size_t>(options_.max_num_seqs) || (has_partial_block && !own_block)) {
    waiting_.push_front(std::move(child));
    return std::nullopt;
  }
  for (size_t i = 0; i < num_full_blocks; ++i) {
    blocks_.acquire(parent.block_table[i]);
    child->block_table.push_back(parent.block_table[i]);
  }
  if (own_block) child->block_table.push_back(*own_block);
  for (const int32_t block : parent.cross_block_table) blocks_.acquire(block);
  child->cross_block_table = parent.cross_block_table;
  child->num_computed_tokens = length;
  child->num_registered_blocks = parent.num_registered_blocks;
  child->last_registered_id = parent.last_registered_id;
  child->is_running = true;
  running_.insert(std::next(find_sequence(running_, parent)), std::move(child));
  if (!own_block) return std::nullopt;
  return BlockCopy{parent.block_table[num_full_blocks], *own_block};
}

void Scheduler::remove(Sequence& sequence) {
  release(sequence);
  sequence.is_running = false;
  if (const auto found = find_sequence(running_, sequence); found != running_.end()) {
    running_.erase(found);
  } else if (const auto queued = find_sequence(waiting_, sequence); queued != waiting_.end()) {
    waiting_.erase(queued);
  }
}

void Scheduler::release(Sequence& sequence) {
  // Last block first: the end of a prefix is the first to be evicted.
  for (auto block = sequence.block_table.rbegin(); block != sequence.block_table.rend(); ++block) blocks_.release(*block);
  sequence.block_table.clear();
  for (const int32_t block : sequence.cross_block_table) blocks_.release(block);
  sequence.cross_block_table.clear();
  for (const int32_t item : sequence.held_media) {
    encoded_.release(sequence.request->input.media[static_cast<size_t>(item)].key);
  }
  sequence.held_media.clear();
  sequence.queries.clear();
  sequence.num_computed_tokens = 0;
  sequence.num_registered_blocks = 0;
  sequence.last_registered_id = 0;
}

}  // namespace sensorium
