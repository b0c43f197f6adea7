#include "core/thread_pool.h"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <string>
#include <system_error>
#include <thread>
#include <vector>

#include "core/cpu_count.h"
#include "core/error.h"

namespace sensorium {
namespace {

constexpr int kMaxThreads = 1024;
constexpr size_t kCacheLineBytes = 64;
// Longer than the gap between two ops of a decode step, short enough to be unseen in an idle process.
constexpr std::chrono::microseconds kSpinTime{50};
constexpr int kPausesPerClockRead = 32;

void pause() {
#if defined(__x86_64__) || defined(__i386__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  asm volatile("yield");
#endif
}

/// Waits until `word` differs from `old`: spins, then sleeps. `num_sleepers` tells the waker whether to wake anybody.
/// Sequentially consistent on both sides: either the sleeper sees the new word or the waker sees the sleeper.
void wait_for_change(const std::atomic<uint32_t>& word, uint32_t old, std::atomic<int>& num_sleepers) {
  const auto deadline = std::chrono::steady_clock::now() + kSpinTime;
  do {
    for (int i = 0; i < kPausesPerClockRead; ++i) {
      if (word.load(std::memory_order_acquire) != old) return;
      pause();
    }
  } while (std::chrono::steady_clock::now() < deadline);
  num_sleepers.fetch_add(1);
  word.wait(old);
  num_sleepers.fetch_sub(1);
}

void wake(std::atomic<uint32_t>& word, const std::atomic<int>& num_sleepers) {
  if (num_sleepers.load() > 0) word.notify_all();
}

}  // namespace

struct ThreadPool::State {
  int num_threads = 1;
  const FunctionRef<void(int)>* task = nullptr;  ///< published by `generation`
  bool is_stopping = false;                      ///< published by `generation`
  alignas(kCacheLineBytes) std::atomic<uint32_t> generation{0};
  std::atomic<int> num_sleeping_workers{0};
  alignas(kCacheLineBytes) std::atomic<uint32_t> num_unfinished{0};
  std::atomic<int> num_sleeping_callers{0};
  std::vector<std::thread> workers;

  void publish() {
    generation.fetch_add(1);
    wake(generation, num_sleeping_workers);
  }

  void work(int thread_index) {
    for (uint32_t seen = 0;; ++seen) {
      wait_for_change(generation, seen, num_sleeping_workers);
      if (is_stopping) return;
      (*task)(thread_index);
      if (num_unfinished.fetch_sub(1) == 1) wake(num_unfinished, num_sleeping_callers);
    }
  }

  void wait_for_workers() {
    for (uint32_t left = num_unfinished.load(); left != 0; left = num_unfinished.load()) {
      wait_for_change(num_unfinished, left, num_sleeping_callers);
    }
  }

  void stop() {
    is_stopping = true;
    publish();
    for (std::thread& worker : workers) worker.join();
  }
};

ThreadPool::ThreadPool(int num_threads) : state_(std::make_unique<State>()) {
  if (num_threads < 0 || num_threads > kMaxThreads) {
    throw Error(ErrorCode::kInvalidArgument,
                "number of threads must be 0 to " + std::to_string(kMaxThreads) + ", got " + std::to_string(num_threads));
  }
  const int wanted = num_threads == 0 ? std::min(num_usable_physical_cores(), kMaxThreads) : num_threads;
  state_->num_threads = wanted;
  try {
    for (int i = 1; i < wanted; ++i) state_->workers.emplace_back(&State::work, state_.get(), i);
  } catch (const std::system_error& error) {
    state_->stop();
    throw Error(ErrorCode::kOutOfMemory, "cannot start " + std::to_string(wanted) + " threads: " + error.what());
  }
}

ThreadPool::~ThreadPool() { state_->stop(); }

int ThreadPool::num_threads() const { return state_->num_threads; }

void ThreadPool::run(FunctionRef<void(int thread_index)> task) {
  if (state_->num_threads == 1) return task(0);
  state_->task = &task;
  state_->num_unfinished.store(static_cast<uint32_t>(state_->num_threads - 1));
  state_->publish();
  task(0);
  state_->wait_for_workers();
}

void ThreadPool::parallel_for(int64_t num_items, int64_t grain, FunctionRef<void(int64_t begin, int64_t end)> task) {
  if (num_items <= 0) return;
  const int64_t chunk = std::max<int64_t>(grain, 1);
  if (num_items <= chunk || state_->num_threads == 1) return task(0, num_items);
  std::atomic<int64_t> next{0};
  run([&](int) {
    for (int64_t begin = next.fetch_add(chunk); begin < num_items; begin = next.fetch_add(chunk)) {
      task(begin, std::min(begin + chunk, num_items));
    }
  });
}

}  // namespace sensorium
