#pragma once

#include <napi.h>

#include <memory>
#include <optional>

#include "binding/failure.h"

namespace sensorium::binding {

/// Work on libuv's pool whose end settles a promise.
class PromiseWorker : public Napi::AsyncWorker {
 public:
  explicit PromiseWorker(Napi::Env env) : AsyncWorker(env, "sensorium"), deferred_(env) {}

  /// Queues the worker, which deletes itself when done.
  static Napi::Promise start(std::unique_ptr<PromiseWorker> worker) {
    const Napi::Promise promise = worker->deferred_.Promise();
    worker->Queue();
    static_cast<void>(worker.release());
    return promise;
  }

 protected:
  /// On a pool thread; may throw.
  virtual void run() = 0;
  /// On the JavaScript thread, after run() succeeded.
  virtual Napi::Value result(Napi::Env env) = 0;

 private:
  void Execute() final {
    try {
      run();
    } catch (...) {
      failure_ = current_failure();
    }
  }
  void OnOK() final {
    const Napi::HandleScope scope(Env());
    try {
      if (failure_) throw to_js_error(Env(), *failure_);
      deferred_.Resolve(guarded(Env(), [this] { return result(Env()); }));
    } catch (const Napi::Error& error) {
      deferred_.Reject(error.Value());
    }
  }

  Napi::Promise::Deferred deferred_;
  std::optional<Failure> failure_;
};

}  // namespace sensorium::binding
