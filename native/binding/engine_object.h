#pragma once

#include <napi.h>

#include <memory>

#include "binding/engine_session.h"

namespace sensorium::binding {

/// NativeEngine of addon.ts.
class EngineObject : public Napi::ObjectWrap<EngineObject> {
 public:
  static Napi::Function define(Napi::Env env);
  static Napi::Object create(Napi::Env env, std::shared_ptr<EngineSession> session);

  explicit EngineObject(const Napi::CallbackInfo& info);

 private:
  Napi::Value submit(const Napi::CallbackInfo& info);
  Napi::Value abort(const Napi::CallbackInfo& info);
  Napi::Value abort_sequence(const Napi::CallbackInfo& info);
  Napi::Value stats(const Napi::CallbackInfo& info);
  Napi::Value has_encoded(const Napi::CallbackInfo& info);
  Napi::Value reset_caches(const Napi::CallbackInfo& info);
  Napi::Value close(const Napi::CallbackInfo& info);

  std::shared_ptr<EngineSession> session_;
};

}  // namespace sensorium::binding
