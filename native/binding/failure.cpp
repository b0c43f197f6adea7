#include "binding/failure.h"

namespace sensorium::binding {

const char* error_code_name(ErrorCode code) {
  switch (code) {
    case ErrorCode::kInvalidArgument:
      return "invalid_argument";
    case ErrorCode::kInvalidCheckpoint:
      return "invalid_checkpoint";
    case ErrorCode::kUnsupportedArchitecture:
      return "unsupported_architecture";
    case ErrorCode::kInvalidMedia:
      return "invalid_media";
    case ErrorCode::kOutOfMemory:
      return "out_of_memory";
    case ErrorCode::kUnavailable:
      return "unavailable";
    case ErrorCode::kInternal:
      break;
  }
  return "internal";
}

Napi::Error to_js_error(Napi::Env env, const Failure& failure) {
  Napi::Error error = Napi::Error::New(env, failure.message);
  error.Set("code", error_code_name(failure.code));
  return error;
}

}  // namespace sensorium::binding
