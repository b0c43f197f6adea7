#pragma once

#include <napi.h>

namespace sensorium::binding {

/// Adds smartResize, patchifyImage, patchifyVideo, resizeRgb, logMel and resample.
void add_media_functions(Napi::Env env, Napi::Object exports);

}  // namespace sensorium::binding
