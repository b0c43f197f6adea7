#include "models/config_section.h"

#include <array>
#include <cmath>
#include <cstdio>

#include "core/error.h"

namespace sensorium {
namespace {

constexpr int64_t kMaxTokenId = int64_t{1} << 24;

}  // namespace

ConfigSection ConfigSection::read(const std::filesystem::path& folder) {
  const std::string file = (folder / "config.json").string();
  auto root = std::make_shared<const Json>(Json::parse_file(file));
  if (!root->is_object()) throw Error(ErrorCode::kInvalidCheckpoint, file + ": expected a JSON object");
  const Json* object = root.get();
  return {std::move(root), {object}, file};
}

ConfigSection ConfigSection::section(std::string_view key) const {
  ConfigSection inner = section_over_this(key);
  inner.objects_.resize(has(key) ? 1 : 0);
  return inner;
}

ConfigSection ConfigSection::section_over_this(std::string_view key) const {
  std::vector<const Json*> objects = objects_;
  if (const Json* object = find({key})) {
    if (!object->is_object()) fail(key, "expected an object");
    objects.insert(objects.begin(), object);
  }
  return {root_, std::move(objects), name_of(key)};
}

const Json* ConfigSection::find(Keys keys) const {
  for (const Json* object : objects_) {
    for (const std::string_view key : keys) {
      const Json* value = object->find(key);
      if (value != nullptr && !value->is_null()) return value;
    }
  }
  return nullptr;
}

bool ConfigSection::is_null(std::string_view key) const {
  for (const Json* object : objects_) {
    if (const Json* value = object->find(key)) return value->is_null();
  }
  return false;
}

int64_t ConfigSection::checked_integer(const Json& value, Keys keys, int64_t min, int64_t max) const {
  if (!value.is_integer() || value.as_int() < min || value.as_int() > max) {
    fail(*keys.begin(), "expected an integer from " + std::to_string(min) + " to " + std::to_string(max));
  }
  return value.as_int();
}

int64_t ConfigSection::count(Keys keys, int64_t fallback, int64_t max) const {
  return optional_count(keys, max).value_or(fallback);
}

std::optional<int64_t> ConfigSection::optional_count(Keys keys, int64_t max) const {
  const Json* value = find(keys);
  if (value == nullptr) return std::nullopt;
  return checked_integer(*value, keys, 1, max);
}

int64_t ConfigSection::index(Keys keys, int64_t fallback, int64_t max) const {
  const Json* value = find(keys);
  return value == nullptr ? fallback : checked_integer(*value, keys, 0, max);
}

int32_t ConfigSection::token_id(Keys keys, int32_t fallback) const {
  const Json* value = find(keys);
  return value == nullptr ? fallback : static_cast<int32_t>(checked_integer(*value, keys, 0, kMaxTokenId));
}

double ConfigSection::positive(Keys keys, double fallback) const {
  const Json* value = find(keys);
  if (value == nullptr) return fallback;
  if (!value->is_number() || !std::isfinite(value->as_double()) || value->as_double() <= 0.0) {
    fail(*keys.begin(), "expected a number above 0");
  }
  return value->as_double();
}

bool ConfigSection::flag(Keys keys, bool fallback) const {
  const Json* value = find(keys);
  if (value == nullptr) return fallback;
  if (!value->is_bool()) fail(*keys.begin(), "expected true or false");
  return value->as_bool();
}

std::string ConfigSection::text(Keys keys, std::string_view fallback) const {
  const Json* value = find(keys);
  if (value == nullptr) return std::string(fallback);
  if (!value->is_string()) fail(*keys.begin(), "expected a string");
  return value->as_string();
}

std::string ConfigSection::label(Keys keys, std::string_view fallback) const {
  const Json* value = find(keys);
  if (value == nullptr || !value->is_number()) return text(keys, fallback);
  std::array<char, 32> digits{};
  std::snprintf(digits.data(), digits.size(), "%g", value->as_double());
  return digits.data();
}

std::vector<int64_t> ConfigSection::integers(Keys keys, const std::vector<int64_t>& fallback, int64_t max) const {
  const Json* value = find(keys);
  if (value == nullptr) return fallback;
  if (!value->is_array()) fail(*keys.begin(), "expected an array of integers");
  std::vector<int64_t> result;
  for (const Json& element : value->as_array()) result.push_back(checked_integer(element, keys, 0, max));
  return result;
}

std::vector<int64_t> ConfigSection::signed_integers(std::string_view key, int64_t fallback, int64_t bound) const {
  const Json* value = find({key});
  if (value == nullptr) return {fallback};
  if (!value->is_array()) return {checked_integer(*value, {key}, -bound, bound)};
  std::vector<int64_t> result;
  for (const Json& element : value->as_array()) result.push_back(checked_integer(element, {key}, -bound, bound));
  return result;
}

std::vector<double> ConfigSection::positives(std::string_view key) const {
  const Json* value = find({key});
  if (value == nullptr) return {};
  if (!value->is_array()) fail(key, "expected an array of numbers");
  std::vector<double> result;
  for (const Json& element : value->as_array()) {
    const bool is_positive = element.is_number() && std::isfinite(element.as_double()) && element.as_double() > 0.0;
    if (!is_positive) fail(key, "expected numbers above 0");
    result.push_back(element.as_double());
  }
  return result;
}

std::vector<std::string> ConfigSection::texts(std::string_view key) const {
  const Json* value = find({key});
  if (value == nullptr) return {};
  if (!value->is_array()) fail(key, "expected an array of strings");
  std::vector<std::string> result;
  for (const Json& element : value->as_array()) {
    if (!element.is_string()) fail(key, "expected an array of strings");
    result.push_back(element.as_string());
  }
  return result;
}

Activation ConfigSection::activation(Keys keys, std::string_view fallback) const {
  const std::string name = text(keys, fallback);
  if (name == "silu" || name == "swish") return Activation::kSilu;
  if (name == "gelu") return Activation::kGeluErf;
  if (name == "gelu_pytorch_tanh" || name == "gelu_new") return Activation::kGeluTanh;
  if (name == "quick_gelu") return Activation::kQuickGelu;
  fail_unsupported(*keys.begin(), "unknown activation \"" + name + "\"");
}

void ConfigSection::fail(std::string_view key, const std::string& what) const {
  throw Error(ErrorCode::kInvalidCheckpoint, name_of(key) + ": " + what);
}

void ConfigSection::fail_unsupported(std::string_view key, const std::string& what) const {
  throw Error(ErrorCode::kUnsupportedArchitecture, name_of(key) + ": " + what);
}

}  // namespace sensorium
