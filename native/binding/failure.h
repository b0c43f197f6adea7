#pragma once

#include <napi.h>

#include "core/failure.h"

namespace sensorium::binding {

/// NativeErrorCode of addon.ts.
const char* error_code_name(ErrorCode code);

/// A JavaScript Error with `code`.
Napi::Error to_js_error(Napi::Env env, const Failure& failure);

/// Runs an entry: what the core throws becomes a JavaScript error, and no other C++ exception gets out.
template <typename Entry>
auto guarded(Napi::Env env, Entry&& entry) -> decltype(entry()) {
  try {
    return entry();
  } catch (const Napi::Error&) {
    throw;
  } catch (...) {
    throw to_js_error(env, current_failure());
  }
}

}  // namespace sensorium::binding
