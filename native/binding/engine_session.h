#pragma once

#include <napi.h>

#include <atomic>
#include <chrono>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <unordered_map>
#include <variant>
#include <vector>

#include "binding/engine_loader.h"
#include "binding/failure.h"

namespace sensorium::binding {

/// One engine of one environment, from createEngine() to close(). Loading and closing run on a thread of their own; all news
/// reach JavaScript in order through one thread-safe function, which keeps the process alive only while something is under
/// way. Methods are for the JavaScript thread unless they say otherwise.
class EngineSession : public std::enable_shared_from_this<EngineSession> {
 public:
  /// Starts to load; resolves with a NativeEngine.
  static Napi::Promise load(Napi::Env env, LoadOptions options, Napi::Function on_events, Napi::Function on_progress);
  ~EngineSession();

  const LoadedEngine& description() const { return loaded_; }
  /// Throws kUnavailable once the engine is closed.
  Engine& engine() const;
  bool is_open() const { return loaded_.engine != nullptr; }
  void submit(EngineRequest request);
  /// Stops the engine on a thread of its own; resolves when its memory is given back.
  Napi::Promise close(Napi::Env env);

 private:
  struct Progress {
    size_t done_bytes = 0, total_bytes = 0;
  };
  struct Loaded {
    LoadedEngine engine;
    std::optional<Failure> failure;
  };
  struct Closed {};
  using Events = std::vector<SequenceEvent>;
  using Message = std::variant<Events, Progress, Loaded, Closed>;

  explicit EngineSession(Napi::Env env) : env_(env), loading_(env) {}
  static void deliver(Napi::Env env, Napi::Function on_events, EngineSession* session, Message* message);
  using Channel = Napi::TypedThreadSafeFunction<EngineSession, Message, deliver>;

  /// From any thread. Dropped when the environment is going down.
  void post(Message message);
  void run_load(LoadOptions options);
  /// Posts progress now and then; throws when the environment goes down, which ends the loading.
  void note_progress(Progress progress);

  void on_events(Napi::Env env, const Events& events, const Napi::Function& callback);
  void on_loaded(Napi::Env env, Loaded& result);
  void on_closed();
  void note_finished(const Events& events);
  /// Lets the event loop end while nothing is under way.
  void update_keep_alive(Napi::Env env);
  void release_channel();
  /// Environment cleanup: stops everything and waits.
  static void stop(void* session);

  const Napi::Env env_;
  Channel channel_;
  std::mutex channel_mutex_;
  bool is_channel_open_ = false;  ///< guarded by channel_mutex_
  bool keeps_alive_ = true;
  bool is_closing_ = false;
  Napi::FunctionReference on_progress_;
  Napi::Promise::Deferred loading_;
  std::vector<Napi::Promise::Deferred> closing_;
  std::thread worker_;                                        ///< loads, later closes
  std::chrono::steady_clock::time_point progress_posted_at_;  ///< of the loading thread
  std::atomic<bool> is_canceled_ = false;
  LoadedEngine loaded_;
  std::unordered_map<uint64_t, int32_t> num_running_;  ///< continuations under way, by request id
};

}  // namespace sensorium::binding
