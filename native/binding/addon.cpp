#include <napi.h>

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "backend/select.h"
#include "binding/addon_data.h"
#include "binding/arguments.h"
#include "binding/engine_object.h"
#include "binding/event_writer.h"
#include "binding/failure.h"
#include "binding/media_functions.h"
#include "binding/media_object.h"
#include "binding/request_reader.h"
#include "binding/view_functions.h"
#include "binding/worker_priority.h"
#include "core/allocator.h"
#include "models/model.h"

namespace sensorium::binding {
namespace {

constexpr size_t kMaxPathBytes = 1u << 16;

Napi::Value cpu_info_entry(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), [&]() -> Napi::Value {
    const CpuInfo cpu = cpu_info();
    const Napi::Object object = Napi::Object::New(info.Env());
    object.Set("vendor", cpu.vendor);
    object.Set("brand", cpu.brand);
    object.Set("features", write_strings(info.Env(), cpu.features));
    object.Set("numPhysicalCores", cpu.num_physical_cores);
    object.Set("isas", write_strings(info.Env(), available_isas()));
    return object;
  });
}

Napi::Value supported_architectures_entry(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), [&]() -> Napi::Value { return write_strings(info.Env(), supported_architectures()); });
}

Napi::Value create_engine_entry(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), [&]() -> Napi::Value {
    LoadOptions options = read_engine_options(info[0]);
    const Napi::Function on_events = read_function(info[1], "onEvents");
    const Napi::Function on_progress = read_function(info[2], "onProgress");
    return EngineSession::load(info.Env(), std::move(options), on_events, on_progress);
  });
}

Napi::Value find_companion_entry(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), [&]() -> Napi::Value {
    return Napi::String::New(info.Env(), find_companion(read_string(info[0], "folder", kMaxPathBytes)).string());
  });
}

void return_freed_memory_entry(const Napi::CallbackInfo&) { return_freed_memory(); }

Napi::Value lower_worker_priority_entry(const Napi::CallbackInfo& info) { return lower_worker_priority(info.Env()); }

Napi::Object initialize(Napi::Env env, Napi::Object exports) {
  auto data = std::make_unique<AddonData>();
  data->media_class = Napi::Persistent(MediaObject::define(env));
  data->engine_class = Napi::Persistent(EngineObject::define(env));
  env.SetInstanceData(data.release());
  exports.Set("version", SENSORIUM_VERSION);
  exports.Set("cpuInfo", Napi::Function::New<cpu_info_entry>(env, "cpuInfo"));
  exports.Set("supportedArchitectures", Napi::Function::New<supported_architectures_entry>(env, "supportedArchitectures"));
  exports.Set("findCompanion", Napi::Function::New<find_companion_entry>(env, "findCompanion"));
  exports.Set("returnFreedMemory", Napi::Function::New<return_freed_memory_entry>(env, "returnFreedMemory"));
  exports.Set("lowerWorkerPriority", Napi::Function::New<lower_worker_priority_entry>(env, "lowerWorkerPriority"));
  exports.Set("createEngine", Napi::Function::New<create_engine_entry>(env, "createEngine"));
  add_media_functions(env, exports);
  add_view_functions(env, exports);
  return exports;
}

}  // namespace
}  // namespace sensorium::binding

static Napi::Object initialize_sensorium(Napi::Env env, Napi::Object exports) {
  return sensorium::binding::initialize(env, exports);
}

NODE_API_MODULE(sensorium, initialize_sensorium)
