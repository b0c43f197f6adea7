#pragma once

#include <napi.h>

namespace sensorium::binding {

/// Adds patchifyViews and planSlices.
void add_view_functions(Napi::Env env, Napi::Object exports);

}  // namespace sensorium::binding
