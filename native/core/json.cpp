#include "core/json.h"

#include <fstream>
#include <string>

#include "core/error.h"

namespace sensorium {
namespace {

[[noreturn]] void wrong_kind(const char* expected) {
  throw Error(ErrorCode::kInvalidArgument, std::string("JSON value is not ") + expected);
}

template <typename T>
T member(const Json& object, std::string_view key, T fallback, T (*read)(const Json&)) {
  const Json* value = object.find(key);
  if (value == nullptr || value->is_null()) return fallback;
  try {
    return read(*value);
  } catch (const Error& error) {
    throw Error(ErrorCode::kInvalidArgument, "\"" + std::string(key) + "\": " + error.what());
  }
}

}  // namespace

bool Json::is_null() const { return std::holds_alternative<std::monostate>(value_); }
bool Json::is_bool() const { return std::holds_alternative<bool>(value_); }
bool Json::is_number() const { return is_integer() || std::holds_alternative<double>(value_); }
bool Json::is_integer() const { return std::holds_alternative<int64_t>(value_); }
bool Json::is_string() const { return std::holds_alternative<std::string>(value_); }
bool Json::is_array() const { return std::holds_alternative<Array>(value_); }
bool Json::is_object() const { return std::holds_alternative<Object>(value_); }

bool Json::as_bool() const {
  if (!is_bool()) wrong_kind("a boolean");
  return std::get<bool>(value_);
}

double Json::as_double() const {
  if (is_integer()) return static_cast<double>(std::get<int64_t>(value_));
  if (!is_number()) wrong_kind("a number");
  return std::get<double>(value_);
}

int64_t Json::as_int() const {
  if (!is_integer()) wrong_kind("an integer");
  return std::get<int64_t>(value_);
}

const std::string& Json::as_string() const {
  if (!is_string()) wrong_kind("a string");
  return std::get<std::string>(value_);
}

const Json::Array& Json::as_array() const {
  if (!is_array()) wrong_kind("an array");
  return std::get<Array>(value_);
}

const Json::Object& Json::as_object() const {
  if (!is_object()) wrong_kind("an object");
  return std::get<Object>(value_);
}

const Json* Json::find(std::string_view key) const {
  if (!is_object()) return nullptr;
  for (const auto& [name, value] : std::get<Object>(value_)) {
    if (name == key) return &value;
  }
  return nullptr;
}

int64_t Json::get_int(std::string_view key, int64_t fallback) const {
  return member<int64_t>(*this, key, fallback, [](const Json& value) { return value.as_int(); });
}

double Json::get_double(std::string_view key, double fallback) const {
  return member<double>(*this, key, fallback, [](const Json& value) { return value.as_double(); });
}

bool Json::get_bool(std::string_view key, bool fallback) const {
  return member<bool>(*this, key, fallback, [](const Json& value) { return value.as_bool(); });
}

std::string Json::get_string(std::string_view key, std::string_view fallback) const {
  return member<std::string>(*this, key, std::string(fallback), [](const Json& value) { return value.as_string(); });
}

Json Json::parse_file(const std::string& path, size_t max_bytes) {
  std::ifstream file(path, std::ios::binary | std::ios::ate);
  if (!file) throw Error(ErrorCode::kInvalidCheckpoint, path + ": cannot be opened");
  const std::streamoff size = file.tellg();
  if (size < 0) throw Error(ErrorCode::kInvalidCheckpoint, path + ": cannot be read");
  if (static_cast<size_t>(size) > max_bytes) {
    throw Error(ErrorCode::kInvalidCheckpoint,
                path + ": " + std::to_string(size) + " bytes, more than the allowed " + std::to_string(max_bytes));
  }
  std::string text(static_cast<size_t>(size), '\0');
  file.seekg(0);
  if (!file.read(text.data(), size)) throw Error(ErrorCode::kInvalidCheckpoint, path + ": cannot be read");
  try {
    return parse(text);
  } catch (const Error& error) {
    throw Error(ErrorCode::kInvalidCheckpoint, path + ": " + error.what());
  }
}

}  // namespace sensorium
