#include "binding/arguments.h"

#include <cmath>
#include <type_traits>

#include "core/error.h"

namespace sensorium::binding {
namespace {

[[noreturn]] void refuse(const std::string& path, const std::string& expectation) {
  throw Error(ErrorCode::kInvalidArgument, path + " must be " + expectation);
}

std::string format(double value) {
  const bool is_whole = std::fabs(value) < 1e15 && value == std::floor(value);
  return is_whole ? std::to_string(static_cast<int64_t>(value)) : std::to_string(value);
}

std::string range(double min, double max) { return "in [" + format(min) + ", " + format(max) + "]"; }

/// A buffer that can shrink under a reading thread is no place to read from.
bool is_resizable(const Napi::TypedArray& array) {
  const Napi::Value buffer = array.Get("buffer");
  if (!buffer.IsObject()) return true;
  const Napi::Value resizable = buffer.As<Napi::Object>().Get("resizable");
  return resizable.IsBoolean() && resizable.As<Napi::Boolean>().Value();
}

}  // namespace

double read_number(const Napi::Value& value, const std::string& path, double min, double max) {
  const double number = value.IsNumber() ? value.As<Napi::Number>().DoubleValue() : std::nan("");
  if (!(number >= min && number <= max)) refuse(path, "a number " + range(min, max));
  return number;
}

int64_t read_integer(const Napi::Value& value, const std::string& path, int64_t min, int64_t max) {
  const double number = value.IsNumber() ? value.As<Napi::Number>().DoubleValue() : std::nan("");
  const auto low = static_cast<double>(min), high = static_cast<double>(max);
  if (!(number >= low && number <= high) || number != std::floor(number)) refuse(path, "an integer " + range(low, high));
  return static_cast<int64_t>(number);
}

bool read_bool(const Napi::Value& value, const std::string& path) {
  if (!value.IsBoolean()) refuse(path, "a boolean");
  return value.As<Napi::Boolean>().Value();
}

std::string read_string(const Napi::Value& value, const std::string& path, size_t max_bytes) {
  if (!value.IsString()) refuse(path, "a string");
  std::string text = value.As<Napi::String>().Utf8Value();
  if (text.size() > max_bytes) refuse(path, "a string of at most " + std::to_string(max_bytes) + " bytes");
  return text;
}

Napi::Function read_function(const Napi::Value& value, const std::string& path) {
  if (!value.IsFunction()) refuse(path, "a function");
  return value.As<Napi::Function>();
}

Napi::Array read_array(const Napi::Value& value, const std::string& path, uint32_t max_length) {
  if (!value.IsArray()) refuse(path, "an array");
  const auto array = value.As<Napi::Array>();
  if (array.Length() > max_length) refuse(path, "an array of at most " + std::to_string(max_length) + " elements");
  return array;
}

std::vector<int32_t> read_token_ids(const Napi::Value& value, const std::string& path, uint32_t max_length) {
  const Napi::Array array = read_array(value, path, max_length);
  std::vector<int32_t> ids;
  for (uint32_t i = 0; i < array.Length(); ++i) {
    ids.push_back(static_cast<int32_t>(read_integer(array.Get(i), path + "[" + std::to_string(i) + "]", 0, INT32_MAX)));
  }
  return ids;
}

Fields::Fields(const Napi::Value& value, std::string path) : path_(std::move(path)) {
  if (!value.IsObject()) refuse(path_, "an object");
  object_ = value.As<Napi::Object>();
}

bool Fields::has(const char* key) const {
  const Napi::Value value = get(key);
  return !value.IsUndefined() && !value.IsNull();
}

std::optional<int64_t> Fields::optional_integer(const char* key, int64_t min, int64_t max) const {
  if (!has(key)) return std::nullopt;
  return integer(key, min, max);
}

template <typename T>
HeldArray<T>::HeldArray(const Napi::Value& value, const std::string& path) {
  constexpr bool is_float = std::is_same_v<T, float>;
  constexpr napi_typedarray_type wanted = is_float ? napi_float32_array : napi_uint8_array;
  const bool is_wanted = value.IsTypedArray() && value.As<Napi::TypedArray>().TypedArrayType() == wanted;
  if (!is_wanted) refuse(path, is_float ? "a Float32Array" : "a Uint8Array");
  const auto array = value.As<Napi::TypedArray>();
  if (is_resizable(array)) refuse(path, "an array whose buffer is not resizable");
  void* data = nullptr;
  size_t length = 0;
  napi_get_typedarray_info(array.Env(), array, nullptr, &length, &data, nullptr, nullptr);
  values_ = {static_cast<const T*>(data), data == nullptr ? 0 : length};
  reference_ = Napi::Persistent(array.As<Napi::Object>());
}

template class HeldArray<uint8_t>;
template class HeldArray<float>;

}  // namespace sensorium::binding
