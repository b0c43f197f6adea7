#include "engine/engine_state.h"

#include <algorithm>

namespace sensorium {
namespace {

double milliseconds(Clock::duration duration) { return std::chrono::duration<double, std::milli>(duration).count(); }

SchedulerOptions scheduler_options(const EngineOptions& options) {
  return {options.max_num_seqs, options.max_num_batched_tokens, options.block_size, options.enable_prefix_caching};
}

RequestTimings timings_of(const Sequence& sequence, Clock::time_point now) {
  const Request& request = *sequence.request;
  RequestTimings timings;
  timings.queued_ms = milliseconds(request.started_at.value_or(now) - request.submitted_at);
  if (!request.started_at) return timings;
  timings.encode_ms = request.encode_ms;
  const Clock::time_point first_token_at = sequence.first_token_at.value_or(now);
  timings.prefill_ms = std::max(0.0, milliseconds(first_token_at - *request.started_at) - request.encode_ms);
  timings.decode_ms = milliseconds(now - first_token_at);
  return timings;
}

SequenceEvent event_of(const Request& request, int32_t index) {
  SequenceEvent event;
  event.request_id = request.input.id;
  event.index = index;
  event.num_cached_tokens = request.num_cached_tokens.value_or(0);
  event.num_cached_media = request.num_cached_media();
  return event;
}

bool needs_media(const Sequence& sequence, const std::string& key) {
  return std::any_of(sequence.held_media.begin(), sequence.held_media.end(),
                     [&](int32_t item) { return sequence.request->input.media[static_cast<size_t>(item)].key == key; });
}

}  // namespace

EngineState::EngineState(const EngineOptions& options)
    : options_(options),
      blocks_(options.num_blocks),
      prefix_cache_(blocks_),
      encoder_cache_(options.encoder_cache_bytes),
      scheduler_(scheduler_options(options), blocks_, prefix_cache_, encoder_cache_) {}

void EngineState::add(std::shared_ptr<Request> request) {
  const uint64_t id = request->input.id;
  if (num_live_.contains(id)) {
    throw Error(ErrorCode::kInvalidArgument, "request id " + std::to_string(id) + " is in use");
  }
  if (scheduler_.waiting().size() >= static_cast<size_t>(options_.max_queued)) {
    throw Error(ErrorCode::kOutOfMemory, "the queue of " + std::to_string(options_.max_queued) + " requests is full");
  }
  const auto sequence = std::make_shared<Sequence>();
  if (has_penalty(request->input.sampling)) sequence->history.add_prompt(request->input.prompt_ids);
  sequence->request = std::move(request);
  num_live_[id] = sequence->request->input.sampling.n;
  num_prompt_tokens_ += sequence->request->prompt_length();
  scheduler_.add(sequence);
}

std::vector<SequencePtr> EngineState::sequences_of(uint64_t request_id) const {
  std::vector<SequencePtr> found;
  const auto collect = [&](const auto& sequences) {
    for (const SequencePtr& sequence : sequences) {
      if (sequence->request->input.id == request_id) found.push_back(sequence);
    }
  };
  if (num_live_.contains(request_id)) {
    collect(scheduler_.running());
    collect(scheduler_.waiting());
  }
  return found;
}

void EngineState::abort(uint64_t request_id, Events& events) {
  for (const SequencePtr& sequence : sequences_of(request_id)) {
    finish(*sequence, FinishReason::kAborted, {}, true, events);
  }
}

void EngineState::abort_sequence(uint64_t request_id, int32_t index, Events& events) {
  for (const SequencePtr& sequence : sequences_of(request_id)) {
    std::vector<int32_t>& unforked = sequence->request->unforked_indices;
    const bool is_own = sequence->index == index;
    if (is_own && unforked.empty()) {
      finish(*sequence, FinishReason::kAborted, {}, false, events);
    } else if (is_own || std::erase(unforked, index) > 0) {
      emit_finish(*sequence, index, FinishReason::kAborted, {}, events);
      if (!is_own) continue;
      // The prompt is still wanted: it goes on for the next continuation.
      sequence->index = unforked.front();
      unforked.erase(unforked.begin());
    }
  }
}

void EngineState::finish_all(FinishReason reason, const Failure& failure, Events& events) {
  while (scheduler_.has_work()) {
    const SequencePtr sequence = scheduler_.running().empty() ? scheduler_.waiting().front() : scheduler_.running().front();
    finish(*sequence, reason, failure, true, events);
  }
}

Schedule EngineState::schedule() {
  Schedule schedule = scheduler_.schedule();
  const Clock::time_point now = Clock::now();
  for (const ScheduledSequence& entry : schedule.sequences) {
    Request& request = *entry.sequence->request;
    if (!request.started_at) request.started_at = now;
  }
  if (!schedule.sequences.empty()) num_steps_++;
  return schedule;
}

void EngineState::store_encoded(const EncoderJob& job, Tensor rows, double encode_ms, const Schedule& schedule) {
  encoder_cache_.fill(job.key, std::move(rows));
  for (const ScheduledSequence& entry : schedule.sequences) {
    if (needs_media(*entry.sequence, job.key)) entry.sequence->request->encode_ms += encode_ms;
  }
}

void EngineState::fail_encoded(const EncoderJob& job, const Failure& failure, const Schedule& schedule, Events& events) {
  for (const ScheduledSequence& entry : schedule.sequences) {
    if (needs_media(*entry.sequence, job.key)) finish(*entry.sequence, FinishReason::kError, failure, true, events);
  }
}

void EngineState::commit(const Outcome& outcome, KvCache& kv_cache, Events& events) {
  Sequence& sequence = *outcome.scheduled.sequence;
  if (outcome.failure) {
    finish(sequence, FinishReason::kError, *outcome.failure, true, events);
    return;
  }
  scheduler_.advance(sequence, outcome.scheduled.num_tokens);
  sequence.queries = outcome.queries;
  if (!outcome.scheduled.is_sampled) return;
  if (sequence.request->input.kind != RequestKind::kGenerate) return commit_result(sequence, outcome, events);
  sequence.request->unforked_indices.clear();
  // Forks come first: they share the blocks of a sequence that may end with its first token.
  for (size_t i = 1; i < outcome.choices.size(); ++i) commit_fork(sequence, outcome.choices[i], kv_cache, events);
  const Choice& choice = outcome.choices.front();
  if (choice.failure) {
    finish(sequence, FinishReason::kError, *choice.failure, false, events);
  } else if (append(sequence, choice.sampled, events)) {
    scheduler_.remove(sequence);
  } else if (sequence.has_become_long_context()) {
    scheduler_.restart(sequence);
  }
}

void EngineState::commit_result(Sequence& sequence, const Outcome& outcome, Events& events) {
  SequenceEvent event = event_of(*sequence.request, sequence.index);
  event.embedding = outcome.embedding;
  event.token_frames = outcome.token_frames;
  event.finish_reason = FinishReason::kStop;
  event.timings = timings_of(sequence, Clock::now());
  events.push_back(std::move(event));
  forget_one(sequence.request->input.id);
  scheduler_.remove(sequence);
}

void EngineState::commit_fork(const Sequence& parent, const Choice& choice, KvCache& kv_cache, Events& events) {
  const auto child = std::make_shared<Sequence>();
  child->request = parent.request;
  child->index = choice.index;
  child->history = parent.history;
  if (choice.failure) {
    emit_finish(*child, choice.index, FinishReason::kError, *choice.failure, events);
    return;
  }
  if (append(*child, choice.sampled, events)) return;
  if (const auto copy = scheduler_.fork(parent, child)) kv_cache.copy_block(copy->from, copy->to);
  if (child->has_become_long_context()) scheduler_.restart(*child);
}

bool EngineState::append(Sequence& sequence, const SampledToken& sampled, Events& events) {
  const Request& request = *sequence.request;
  const SamplingParams& params = request.input.sampling;
  const int32_t token_id = sampled.token_id;
  sequence.output_ids.push_back(token_id);
  if (has_penalty(params)) sequence.history.add_generated(token_id);
  if (!sequence.first_token_at) sequence.first_token_at = Clock::now();
  num_generated_tokens_++;

  SequenceEvent event = event_of(request, sequence.index);
  event.token_ids = {token_id};
  if (sampled.logprob) event.logprobs = {*sampled.logprob};
  if (std::binary_search(request.stop_ids.begin(), request.stop_ids.end(), token_id)) {
    event.finish_reason = FinishReason::kStop;
    event.stop_token_id = token_id;
  } else if (std::ssize(sequence.output_ids) >= params.max_tokens || sequence.num_tokens() >= request.max_length) {
    event.finish_reason = FinishReason::kLength;
  }
  const bool has_ended = event.finish_reason.has_value();
  if (has_ended) {
    event.timings = timings_of(sequence, Clock::now());
    forget_one(request.input.id);
  }
  events.push_back(std::move(event));
  return has_ended;
}

void EngineState::finish(Sequence& sequence, FinishReason reason, const Failure& failure, bool with_unforked, Events& events) {
  emit_finish(sequence, sequence.index, reason, failure, events);
  if (with_unforked) {
    for (const int32_t index : sequence.request->unforked_indices) emit_finish(sequence, index, reason, failure, events);
    sequence.request->unforked_indices.clear();
  }
  scheduler_.remove(sequence);
}

void EngineState::emit_finish(const Sequence& sequence, int32_t index, FinishReason reason, const Failure& failure,
                              Events& events) {
  SequenceEvent event = event_of(*sequence.request, index);
  event.finish_reason = reason;
  event.error_message = failure.message;
  event.error_code = failure.code;
  event.timings = timings_of(sequence, Clock::now());
  events.push_back(std::move(event));
  forget_one(sequence.request->input.id);
}

void EngineState::forget_one(uint64_t request_id) {
  const auto live = num_live_.find(request_id);
  if (--live->second == 0) num_live_.erase(live);
}

EngineStats EngineState::stats() const {
  EngineStats stats;
  const SchedulerStats& counts = scheduler_.stats();
  stats.num_running = std::ssize(scheduler_.running());
  stats.num_waiting = std::ssize(scheduler_.waiting());
  stats.num_blocks = blocks_.num_blocks();
  stats.num_used_blocks = blocks_.num_used();
  stats.prefix_queries = counts.prefix_queries;
  stats.prefix_hits = counts.prefix_hits;
  stats.prefix_evictions = prefix_cache_.num_evictions();
  stats.num_cached_blocks = std::ssize(prefix_cache_);
  stats.encoder_queries = counts.encoder_queries;
  stats.encoder_hits = counts.encoder_hits;
  stats.encoder_evictions = encoder_cache_.num_evictions();
  stats.encoder_cache_bytes = encoder_cache_.size_bytes();
  stats.num_steps = num_steps_;
  stats.num_preemptions = counts.num_preemptions;
  stats.num_prompt_tokens = num_prompt_tokens_;
  stats.num_generated_tokens = num_generated_tokens_;
  return stats;
}

void EngineState::reset_caches() {
  prefix_cache_.clear();
  encoder_cache_.clear();
}

}  // namespace sensorium
