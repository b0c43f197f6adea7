#include "binding/worker_priority.h"

#ifdef __linux__
#include <sys/resource.h>
#endif

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <cstdlib>
#include <memory>
#include <mutex>

#include "binding/promise_worker.h"

namespace sensorium::binding {
namespace {

constexpr std::chrono::seconds kLongestWait{1};

/// As libuv reads it.
int32_t pool_size() {
  const char* text = std::getenv("UV_THREADPOOL_SIZE");
  const int size = text == nullptr ? 4 : std::atoi(text);
  return std::clamp(size, 1, 1024);
}

/// Lets nobody pass until all have come: each thread of the pool then runs exactly one of the workers.
class Gathering {
 public:
  explicit Gathering(int32_t num_expected) : num_missing_(num_expected) {}

  void arrive_and_wait() {
    std::unique_lock lock(mutex_);
    if (--num_missing_ <= 0) all_here_.notify_all();
    all_here_.wait_for(lock, kLongestWait, [this] { return num_missing_ <= 0; });
  }

 private:
  std::mutex mutex_;
  std::condition_variable all_here_;
  int32_t num_missing_;
};

/// The least share of a core, short of the idle class, which starves beside other busy programs.
constexpr int kNiceness = 19;

void lower_this_thread() {
#ifdef __linux__
  // On Linux it holds for the calling thread alone. Threads it starts inherit it.
  setpriority(PRIO_PROCESS, 0, kNiceness);
#endif
}

class PriorityWorker : public PromiseWorker {
 public:
  PriorityWorker(Napi::Env env, std::shared_ptr<Gathering> gathering) : PromiseWorker(env), gathering_(std::move(gathering)) {}

 private:
  void run() override {
    lower_this_thread();
    gathering_->arrive_and_wait();
  }
  Napi::Value result(Napi::Env env) override { return env.Undefined(); }

  std::shared_ptr<Gathering> gathering_;
};

}  // namespace

Napi::Promise lower_worker_priority(Napi::Env env) {
  const int32_t num_threads = pool_size();
  const auto gathering = std::make_shared<Gathering>(num_threads);
  // The last one ends no sooner than all have come.
  for (int32_t i = 1; i < num_threads; ++i) PromiseWorker::start(std::make_unique<PriorityWorker>(env, gathering));
  return PromiseWorker::start(std::make_unique<PriorityWorker>(env, gathering));
}

}  // namespace sensorium::binding
