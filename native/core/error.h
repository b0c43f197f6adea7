#pragma once

#include <stdexcept>
#include <string>

namespace sensorium {

/// Class of a failure. The binding turns it into the stable `code` of a JavaScript error.
enum class ErrorCode {
  kInvalidArgument,          ///< a caller's value is out of its range or of the wrong shape
  kInvalidCheckpoint,        ///< a file of the checkpoint is missing, damaged or inconsistent
  kUnsupportedArchitecture,  ///< the checkpoint is well formed, but of a family or dtype we do not read
  kInvalidMedia,             ///< decoded media or embeddings that no processor accepts
  kOutOfMemory,              ///< an allocation above its bound, or refused by the system
  kUnavailable,              ///< a forced instruction set or device that this machine lacks
  kInternal,                 ///< a broken invariant of our own
};

/// The one exception type of the native core. It never crosses N-API: the binding catches it at every entry.
class Error : public std::runtime_error {
 public:
  Error(ErrorCode code, const std::string& message) : std::runtime_error(message), code_(code) {}
  ErrorCode code() const noexcept { return code_; }

 private:
  ErrorCode code_;
};

}  // namespace sensorium
