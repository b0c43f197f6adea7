#pragma once

#include <napi.h>

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

/// Checked reading of JavaScript values. Each failure is a kInvalidArgument that names `path`.
namespace sensorium::binding {

double read_number(const Napi::Value& value, const std::string& path, double min, double max);
int64_t read_integer(const Napi::Value& value, const std::string& path, int64_t min, int64_t max);
bool read_bool(const Napi::Value& value, const std::string& path);
std::string read_string(const Napi::Value& value, const std::string& path, size_t max_bytes);
Napi::Function read_function(const Napi::Value& value, const std::string& path);
/// An array of at most `max_length` elements.
Napi::Array read_array(const Napi::Value& value, const std::string& path, uint32_t max_length);
std::vector<int32_t> read_token_ids(const Napi::Value& value, const std::string& path, uint32_t max_length);

/// The fields of an object argument.
class Fields {
 public:
  Fields(const Napi::Value& value, std::string path);

  Napi::Value get(const char* key) const { return object_.Get(key); }
  std::string path(const char* key) const { return path_ + "." + key; }
  /// Absent: missing, undefined or null.
  bool has(const char* key) const;

  double number(const char* key, double min, double max) const { return read_number(get(key), path(key), min, max); }
  int64_t integer(const char* key, int64_t min, int64_t max) const { return read_integer(get(key), path(key), min, max); }
  int32_t int32(const char* key, int32_t min, int32_t max) const { return static_cast<int32_t>(integer(key, min, max)); }
  bool boolean(const char* key) const { return read_bool(get(key), path(key)); }
  std::string string(const char* key, size_t max_bytes) const { return read_string(get(key), path(key), max_bytes); }
  std::optional<int64_t> optional_integer(const char* key, int64_t min, int64_t max) const;

 private:
  Napi::Object object_;
  std::string path_;
};

/// A typed array that a worker thread reads: held by reference, not copied, so the caller must not change or transfer it until
/// the promise settles. Created and destroyed on the JavaScript thread.
template <typename T>
class HeldArray {
 public:
  HeldArray(const Napi::Value& value, const std::string& path);
  std::span<const T> values() const { return values_; }

 private:
  Napi::ObjectReference reference_;
  std::span<const T> values_;
};

}  // namespace sensorium::binding
