#pragma once

#include <cstdint>
#include <memory>
#include <type_traits>

namespace sensorium {

/// A non-owning reference to a callable (no allocation, unlike std::function).
template <typename Signature>
class FunctionRef;
template <typename Result, typename... Args>
class FunctionRef<Result(Args...)> {
 public:
  template <typename F>
  requires(!std::is_same_v<std::remove_cvref_t<F>, FunctionRef>) FunctionRef(F&& f)  // NOLINT(google-explicit-constructor)
      : object_(const_cast<void*>(static_cast<const void*>(&f))), call_([](void* object, Args... args) -> Result {
          return (*static_cast<std::remove_reference_t<F>*>(object))(args...);
        }) {}
  Result operator()(Args... args) const { return call_(object_, args...); }

 private:
  void* object_;
  Result (*call_)(void*, Args...);
};

/// Worker threads that spin briefly between jobs and park when idle. The caller of run() works too (index 0).
/// One job at a time; run() may be called from one thread at a time.
class ThreadPool {
 public:
  /// `num_threads` includes the caller; 1 starts no thread. 0 = one per physical core this process may use.
  explicit ThreadPool(int num_threads);
  ~ThreadPool();
  ThreadPool(const ThreadPool&) = delete;
  ThreadPool& operator=(const ThreadPool&) = delete;

  int num_threads() const;
  /// Calls task(index) on every thread, index in [0, num_threads), and returns when all have finished. Tasks must not throw.
  void run(FunctionRef<void(int thread_index)> task);
  /// Calls task(begin, end) over dynamically claimed chunks of [0, num_items); runs inline when num_items <= grain.
  void parallel_for(int64_t num_items, int64_t grain, FunctionRef<void(int64_t begin, int64_t end)> task);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace sensorium
