#pragma once

#include <napi.h>

namespace sensorium::binding {

/// Lowers the priority of every thread of libuv's pool, for good. Resolves to undefined when all of them have done it.
Napi::Promise lower_worker_priority(Napi::Env env);

}  // namespace sensorium::binding
