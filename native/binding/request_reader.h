#pragma once

#include <napi.h>

#include "binding/engine_loader.h"
#include "engine/engine.h"

namespace sensorium::binding {

/// NativeEngineOptions of addon.ts.
LoadOptions read_engine_options(const Napi::Value& value);
/// NativeRequest of addon.ts.
EngineRequest read_request(const Napi::Value& value);
uint64_t read_request_id(const Napi::Value& value, const std::string& path);

}  // namespace sensorium::binding
