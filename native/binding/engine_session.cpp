#include "binding/engine_session.h"

#include <chrono>
#include <system_error>
#include <utility>

#include "binding/engine_object.h"
#include "binding/event_writer.h"

namespace sensorium::binding {
namespace {

constexpr std::chrono::milliseconds kProgressInterval(50);

}  // namespace

Napi::Promise EngineSession::load(Napi::Env env, LoadOptions options, Napi::Function on_events, Napi::Function on_progress) {
  const std::shared_ptr<EngineSession> session(new EngineSession(env));
  session->on_progress_ = Napi::Persistent(on_progress);
  // The channel owns a reference: the session outlives all its messages.
  session->channel_ = Channel::New(
      env, on_events, "sensorium engine", 0, 1, session.get(),
      [](Napi::Env, std::shared_ptr<EngineSession>* owner, EngineSession*) { delete owner; },
      new std::shared_ptr<EngineSession>(session));
  session->is_channel_open_ = true;
  // Registered after the channel, hence run before the channel's own cleanup.
  napi_add_env_cleanup_hook(env, stop, session.get());
  try {
    session->worker_ =
        std::thread([raw = session.get(), options = std::move(options)]() mutable { raw->run_load(std::move(options)); });
  } catch (const std::system_error&) {
    session->release_channel();  // else it would keep the process alive
    throw;
  }
  return session->loading_.Promise();
}

EngineSession::~EngineSession() {
  if (worker_.joinable()) worker_.join();
}

Engine& EngineSession::engine() const {
  if (!is_open()) throw Error(ErrorCode::kUnavailable, "the engine is closed");
  return *loaded_.engine;
}

void EngineSession::submit(EngineRequest request) {
  Engine& target = engine();
  const uint64_t id = request.id;
  const int32_t num_continuations = request.sampling.n;
  target.submit(std::move(request));
  num_running_[id] = num_continuations;
  update_keep_alive(env_);
}

Napi::Promise EngineSession::close(Napi::Env env) {
  const auto deferred = Napi::Promise::Deferred::New(env);
  if (!is_open() && !is_closing_) {
    deferred.Resolve(env.Undefined());
    return deferred.Promise();
  }
  closing_.push_back(deferred);
  if (is_closing_) return deferred.Promise();
  is_closing_ = true;
  update_keep_alive(env);
  try {
    worker_ = std::thread([this, engine = std::move(loaded_.engine)]() mutable {
      engine.reset();
      post(Closed{});
    });
  } catch (const std::system_error&) {
    post(Closed{});  // without a thread the engine was stopped right here
  }
  return deferred.Promise();
}

void EngineSession::post(Message message) {
  auto owned = std::make_unique<Message>(std::move(message));
  const std::lock_guard lock(channel_mutex_);
  if (!is_channel_open_) return;
  if (channel_.NonBlockingCall(owned.get()) == napi_ok) {
    static_cast<void>(owned.release());
  } else {
    is_channel_open_ = false;  // the environment is going down; another call would be an error
  }
}

void EngineSession::note_progress(Progress progress) {
  if (is_canceled_) throw Error(ErrorCode::kUnavailable, "loading was canceled");
  const auto now = std::chrono::steady_clock::now();
  if (progress.done_bytes != progress.total_bytes && now - progress_posted_at_ < kProgressInterval) return;
  progress_posted_at_ = now;
  post(progress);
}

void EngineSession::run_load(LoadOptions options) {
  Loaded result;
  try {
    const auto progress = [this](size_t done_bytes, size_t total_bytes) { note_progress({done_bytes, total_bytes}); };
    const auto sink = [this](Events&& events) { post(std::move(events)); };
    result.engine = load_engine(std::move(options), progress, sink);
  } catch (...) {
    result.failure = current_failure();
  }
  post(std::move(result));
}

void EngineSession::deliver(Napi::Env env, Napi::Function on_events, EngineSession* session, Message* message) {
  const std::unique_ptr<Message> owned(message);
  if (env == nullptr) return;
  const std::shared_ptr<EngineSession> keep = session->shared_from_this();
  guarded(env, [&] {
    if (const auto* events = std::get_if<Events>(message)) {
      session->on_events(env, *events, on_events);
    } else if (const auto* progress = std::get_if<Progress>(message)) {
      session->on_progress_.Call({Napi::Number::New(env, static_cast<double>(progress->done_bytes)),
                                  Napi::Number::New(env, static_cast<double>(progress->total_bytes))});
    } else if (auto* loaded = std::get_if<Loaded>(message)) {
      session->on_loaded(env, *loaded);
    } else {
      session->on_closed();
    }
  });
}

void EngineSession::on_events(Napi::Env env, const Events& events, const Napi::Function& callback) {
  note_finished(events);
  update_keep_alive(env);
  callback.Call({write_events(env, events)});
}

void EngineSession::note_finished(const Events& events) {
  for (const SequenceEvent& event : events) {
    if (!event.finish_reason) continue;
    const auto found = num_running_.find(event.request_id);
    if (found != num_running_.end() && --found->second <= 0) num_running_.erase(found);
  }
}

void EngineSession::on_loaded(Napi::Env env, Loaded& result) {
  worker_.join();
  on_progress_.Reset();
  if (result.failure) {
    loading_.Reject(to_js_error(env, *result.failure).Value());
    release_channel();
    return;
  }
  loaded_ = std::move(result.engine);
  update_keep_alive(env);
  loading_.Resolve(EngineObject::create(env, shared_from_this()));
}

void EngineSession::on_closed() {
  if (worker_.joinable()) worker_.join();
  is_closing_ = false;
  release_channel();
  for (const Napi::Promise::Deferred& deferred : closing_) deferred.Resolve(env_.Undefined());
  closing_.clear();
}

void EngineSession::update_keep_alive(Napi::Env env) {
  const bool is_needed = is_closing_ || !num_running_.empty();
  if (is_needed == keeps_alive_) return;
  keeps_alive_ = is_needed;
  if (is_needed) {
    channel_.Ref(env);
  } else {
    channel_.Unref(env);
  }
}

void EngineSession::release_channel() {
  napi_remove_env_cleanup_hook(env_, stop, this);
  const std::lock_guard lock(channel_mutex_);
  if (is_channel_open_) channel_.Release();
  is_channel_open_ = false;
}

void EngineSession::stop(void* session) {
  auto* self = static_cast<EngineSession*>(session);
  self->is_canceled_ = true;
  if (self->worker_.joinable()) self->worker_.join();
  self->loaded_.engine.reset();
  const std::lock_guard lock(self->channel_mutex_);
  if (self->is_channel_open_) self->channel_.Release();
  self->is_channel_open_ = false;
}

}  // namespace sensorium::binding
