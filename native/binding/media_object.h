#pragma once

#include <napi.h>

#include <memory>
#include <string>

#include "core/media_input.h"

namespace sensorium::binding {

/// NativeMedia of addon.ts: shares processed media with the engine until `dispose`; then every use throws kInvalidArgument. The
/// garbage collector is not told their size: it would mark the whole heap every few pictures for memory that others give back.
class MediaObject : public Napi::ObjectWrap<MediaObject> {
 public:
  static Napi::Function define(Napi::Env env);
  static Napi::Object create(Napi::Env env, std::shared_ptr<const ProcessedMedia> media);
  /// The media of an argument; kInvalidArgument naming `path` when it is none of ours or was disposed of.
  static std::shared_ptr<const ProcessedMedia> from(const Napi::Value& value, const std::string& path);

  explicit MediaObject(const Napi::CallbackInfo& info);

 private:
  /// Throws kInvalidArgument once disposed of.
  const ProcessedMedia& media() const;

  void dispose(const Napi::CallbackInfo& info);
  Napi::Value modality(const Napi::CallbackInfo& info);
  Napi::Value size_bytes(const Napi::CallbackInfo& info);
  Napi::Value grid(const Napi::CallbackInfo& info);
  Napi::Value num_rows(const Napi::CallbackInfo& info);
  Napi::Value tiles(const Napi::CallbackInfo& info);
  Napi::Value features(const Napi::CallbackInfo& info);

  std::shared_ptr<const ProcessedMedia> media_;
};

}  // namespace sensorium::binding
