#pragma once

#include <string>

#include "core/error.h"

namespace sensorium {

/// A caught exception, ready to be kept or to cross threads.
struct Failure {
  ErrorCode code = ErrorCode::kInternal;
  std::string message;
};

/// The exception in flight. Call it inside a catch block.
Failure current_failure();

}  // namespace sensorium
