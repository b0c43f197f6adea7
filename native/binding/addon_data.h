#pragma once

#include <napi.h>

#include <memory>

#include "core/media_input.h"

namespace sensorium::binding {

class EngineSession;

/// What one environment (main thread or worker) keeps: the classes whose instances only the addon makes.
struct AddonData {
  Napi::FunctionReference media_class;
  Napi::FunctionReference engine_class;

  /// What the constructor called next wraps: only the addon can make instances.
  std::shared_ptr<const ProcessedMedia> next_media;
  std::shared_ptr<EngineSession> next_session;

  static AddonData& of(Napi::Env env) { return *env.GetInstanceData<AddonData>(); }
};

}  // namespace sensorium::binding
