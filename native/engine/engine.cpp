#include "engine/engine.h"

#include <condition_variable>
#include <mutex>
#include <random>
#include <thread>

#include "engine/engine_state.h"
#include "engine/request_check.h"

namespace sensorium {
namespace {

/// An engine that was idle for so long gives its scratch memory back.
constexpr std::chrono::milliseconds kIdleBeforeRelease(500);

struct Abort {
  uint64_t request_id = 0;
  std::optional<int32_t> index;  ///< absent: all continuations
};

}  // namespace

/// The engine thread holds mutex_ except while it encodes, computes, samples, or hands out events. In between, others may
/// queue requests, ask, and drop what no sequence uses; what a step uses is changed by the engine thread alone.
struct Engine::Impl {
  Impl(std::unique_ptr<Backend> backend, std::unique_ptr<Model> model, const EngineOptions& engine_options,
       EventSink event_sink)
      : options(fit_options(engine_options, model->info())),
        sink(std::move(event_sink)),
        runner(std::move(backend), std::move(model), options),
        state(options),
        seeds(std::random_device()()),
        thread([this] { run(); }) {}

  void run();
  void wait_for_work(std::unique_lock<std::mutex>& lock);
  bool has_news() const { return is_stopping || !aborts.empty() || state.has_work(); }
  void apply_aborts(Events& events);
  void step(std::unique_lock<std::mutex>& lock, Events& events);
  void encode(Schedule& schedule, std::unique_lock<std::mutex>& lock, Events& events);
  void run_encoder(const EncoderJob& job, Schedule& schedule, std::unique_lock<std::mutex>& lock, Events& events);
  void compute(const StepBatch& batch, std::unique_lock<std::mutex>& lock, Events& events);

  const EngineOptions options;
  const EventSink sink;
  ModelRunner runner;

  mutable std::mutex mutex;
  std::condition_variable wake;
  EngineState state;
  std::vector<Abort> aborts;
  std::mt19937_64 seeds;
  bool is_stopping = false;
  bool has_scratch = false;  ///< scratch memory was used since it was last given back

  std::thread thread;
};

void Engine::Impl::run() {
  std::unique_lock lock(mutex);
  for (;;) {
    wait_for_work(lock);
    Events events;
    apply_aborts(events);
    const bool is_last = is_stopping;
    try {
      if (is_last) {
        state.finish_all(FinishReason::kAborted, {}, events);
      } else if (state.has_work()) {
        step(lock, events);
      }
    } catch (...) {
      if (!lock.owns_lock()) lock.lock();
      state.finish_all(FinishReason::kError, current_failure(), events);
    }
    lock.unlock();
    if (sink && !events.empty()) sink(std::move(events));
    if (is_last) return;
    lock.lock();
  }
}

void Engine::Impl::wait_for_work(std::unique_lock<std::mutex>& lock) {
  if (has_scratch && !wake.wait_for(lock, kIdleBeforeRelease, [this] { return has_news(); })) {
    runner.release_memory();
    has_scratch = false;
  }
  wake.wait(lock, [this] { return has_news(); });
}

void Engine::Impl::apply_aborts(Events& events) {
  for (const Abort& abort : aborts) {
    if (abort.index) {
      state.abort_sequence(abort.request_id, *abort.index, events);
    } else {
      state.abort(abort.request_id, events);
    }
  }
  aborts.clear();
}

void Engine::Impl::step(std::unique_lock<std::mutex>& lock, Events& events) {
  has_scratch = true;
  Schedule schedule = state.schedule();
  if (schedule.sequences.empty()) throw Error(ErrorCode::kInternal, "no sequence could be scheduled");
  encode(schedule, lock, events);
  if (is_stopping) return;
  for (const StepBatch& batch : runner.prepare(schedule.sequences, state.encoder_cache())) compute(batch, lock, events);
}

void Engine::Impl::encode(Schedule& schedule, std::unique_lock<std::mutex>& lock, Events& events) {
  for (const EncoderJob& job : schedule.encoder_jobs) {
    // Encoders take long: what was aborted meanwhile is not encoded. Reserved entries go with their last sequence.
    apply_aborts(events);
    if (is_stopping) return;
    if (state.encoder_cache().is_reserved(job.key)) run_encoder(job, schedule, lock, events);
  }
  if (!schedule.encoder_jobs.empty()) apply_aborts(events);
  std::erase_if(schedule.sequences, [](const ScheduledSequence& entry) { return !entry.sequence->is_running; });
}

void Engine::Impl::run_encoder(const EncoderJob& job, Schedule& schedule, std::unique_lock<std::mutex>& lock, Events& events) {
  Tensor rows;
  std::optional<Failure> failure;
  lock.unlock();
  const Clock::time_point start = Clock::now();
  try {
    rows = runner.encode(job);
  } catch (...) {
    failure = current_failure();
  }
  const std::chrono::duration<double, std::milli> duration = Clock::now() - start;
  lock.lock();
  if (failure) {
    state.fail_encoded(job, *failure, schedule, events);
  } else {
    state.store_encoded(job, std::move(rows), duration.count(), schedule);
  }
}

void Engine::Impl::compute(const StepBatch& batch, std::unique_lock<std::mutex>& lock, Events& events) {
  lock.unlock();
  const std::vector<Outcome> outcomes = runner.run(batch);
  lock.lock();
  const auto scheduled = batch.scheduled();
  if (outcomes.front().failure && scheduled.size() > 1) {
    // Whose fault it was shows when each runs alone; keys are written to the same slots again.
    for (size_t i = 0; i < scheduled.size(); ++i) {
      for (const StepBatch& single : runner.prepare(scheduled.subspan(i, 1), state.encoder_cache())) {
        compute(single, lock, events);
      }
    }
    return;
  }
  for (const Outcome& outcome : outcomes) state.commit(outcome, runner.kv_cache(), events);
}

Engine::Engine(std::unique_ptr<Backend> backend, std::unique_ptr<Model> model, const EngineOptions& options, EventSink sink)
    : impl_(std::make_unique<Impl>(std::move(backend), std::move(model), options, std::move(sink))) {}

Engine::~Engine() {
  {
    const std::lock_guard lock(impl_->mutex);
    impl_->is_stopping = true;
  }
  impl_->wake.notify_one();
  impl_->thread.join();
}

void Engine::submit(EngineRequest request) {
  const Clock::time_point now = Clock::now();
  uint64_t seed;
  {
    const std::lock_guard lock(impl_->mutex);
    seed = impl_->seeds();
  }
  const auto checked = make_request(std::move(request), impl_->runner.model(), impl_->options, seed);
  checked->submitted_at = now;
  {
    const std::lock_guard lock(impl_->mutex);
    impl_->state.add(checked);
  }
  impl_->wake.notify_one();
}

void Engine::abort(uint64_t request_id) {
  {
    const std::lock_guard lock(impl_->mutex);
    impl_->aborts.push_back({request_id, std::nullopt});
  }
  impl_->wake.notify_one();
}

void Engine::abort_sequence(uint64_t request_id, int32_t index) {
  {
    const std::lock_guard lock(impl_->mutex);
    impl_->aborts.push_back({request_id, index});
  }
  impl_->wake.notify_one();
}

EngineStats Engine::stats() const {
  const std::lock_guard lock(impl_->mutex);
  EngineStats stats = impl_->state.stats();
  stats.kv_cache_bytes = impl_->runner.kv_cache().size_bytes();
  stats.prefix_cache_bytes =
      stats.kv_cache_bytes / static_cast<size_t>(stats.num_blocks) * static_cast<size_t>(stats.num_cached_blocks);
  stats.weight_bytes = impl_->runner.model().info().weight_bytes;
  return stats;
}

bool Engine::has_encoded(const std::string& media_key) const {
  const std::lock_guard lock(impl_->mutex);
  return impl_->state.encoder_cache().contains_media(media_key);
}

void Engine::reset_caches() {
  const std::lock_guard lock(impl_->mutex);
  impl_->state.reset_caches();
}

const ModelInfo& Engine::model_info() const { return impl_->runner.model().info(); }

}  // namespace sensorium
