#pragma once

#include <napi.h>

#include <vector>

#include "engine/engine.h"

namespace sensorium::binding {

/// NativeEvent[], NativeStats and NativeModelInfo of addon.ts.
Napi::Array write_events(Napi::Env env, const std::vector<SequenceEvent>& events);
Napi::Object write_stats(Napi::Env env, const EngineStats& stats);
Napi::Object write_model_info(Napi::Env env, const ModelInfo& info);
Napi::Array write_strings(Napi::Env env, const std::vector<std::string>& strings);

}  // namespace sensorium::binding
