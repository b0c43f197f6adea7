#include "binding/engine_object.h"

#include <limits>
#include <utility>

#include "binding/addon_data.h"
#include "binding/arguments.h"
#include "binding/event_writer.h"
#include "binding/request_reader.h"

namespace sensorium::binding {
namespace {

constexpr size_t kMaxKeyBytes = 1u << 12;

const char* tile_unit_name(TileUnit unit) {
  switch (unit) {
    case TileUnit::kInstructions:
      return "instructions";
    case TileUnit::kEmulated:
      return "emulated";
    case TileUnit::kNone:
      break;
  }
  return "none";
}

}  // namespace

Napi::Function EngineObject::define(Napi::Env env) {
  return DefineClass(
      env, "NativeEngine",
      {InstanceMethod<&EngineObject::submit>("submit"), InstanceMethod<&EngineObject::abort>("abort"),
       InstanceMethod<&EngineObject::abort_sequence>("abortSequence"), InstanceMethod<&EngineObject::stats>("stats"),
       InstanceMethod<&EngineObject::has_encoded>("hasEncoded"), InstanceMethod<&EngineObject::reset_caches>("resetCaches"),
       InstanceMethod<&EngineObject::close>("close")});
}

Napi::Object EngineObject::create(Napi::Env env, std::shared_ptr<EngineSession> session) {
  const LoadedEngine& description = session->description();
  AddonData& data = AddonData::of(env);
  data.next_session = session;
  const Napi::Object object = data.engine_class.New({});
  const auto set = [&](const char* key, const Napi::Value& value) {
    object.DefineProperty(Napi::PropertyDescriptor::Value(key, value, napi_enumerable));
  };
  set("info", write_model_info(env, description.info));
  set("unreadTensors", write_strings(env, description.unread_tensors));
  set("maxModelLen", Napi::Number::New(env, description.max_model_len));
  set("isa", Napi::String::New(env, description.isa));
  set("tileUnit", Napi::String::New(env, tile_unit_name(description.tile_unit)));
  set("numThreads", Napi::Number::New(env, description.num_threads));
  return object;
}

EngineObject::EngineObject(const Napi::CallbackInfo& info) : ObjectWrap(info) {
  session_ = std::exchange(AddonData::of(info.Env()).next_session, nullptr);
  if (!session_) {
    throw to_js_error(info.Env(), {ErrorCode::kInvalidArgument, "NativeEngine is made by createEngine only"});
  }
}

Napi::Value EngineObject::submit(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), [&] {
    static_cast<void>(session_->engine());
    session_->submit(read_request(info[0]));
    return info.Env().Undefined();
  });
}

Napi::Value EngineObject::abort(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), [&] {
    const uint64_t id = read_request_id(info[0], "requestId");
    if (session_->is_open()) session_->engine().abort(id);
    return info.Env().Undefined();
  });
}

Napi::Value EngineObject::abort_sequence(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), [&] {
    const uint64_t id = read_request_id(info[0], "requestId");
    const auto index = static_cast<int32_t>(read_integer(info[1], "index", 0, std::numeric_limits<int32_t>::max()));
    if (session_->is_open()) session_->engine().abort_sequence(id, index);
    return info.Env().Undefined();
  });
}

Napi::Value EngineObject::stats(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), [&] { return write_stats(info.Env(), session_->engine().stats()); });
}

Napi::Value EngineObject::has_encoded(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), [&] {
    return Napi::Boolean::New(info.Env(), session_->engine().has_encoded(read_string(info[0], "key", kMaxKeyBytes)));
  });
}

Napi::Value EngineObject::reset_caches(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), [&] {
    session_->engine().reset_caches();
    return info.Env().Undefined();
  });
}

Napi::Value EngineObject::close(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), [&] { return session_->close(info.Env()); });
}

}  // namespace sensorium::binding
