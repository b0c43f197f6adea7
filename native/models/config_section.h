#pragma once

#include <cstdint>
#include <filesystem>
#include <initializer_list>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "backend/backend.h"
#include "core/json.h"

namespace sensorium {

/// Bounds of what a config may ask for, far above any model: products of a few of them fit int64.
inline constexpr int64_t kMaxWidth = int64_t{1} << 20;
inline constexpr int64_t kMaxLayers = 4096;

/// An object of config.json whose members are read with their class default and checked. Keys may have several spellings:
/// the first one present counts. A member that is null counts as absent.
/// Every method throws kInvalidCheckpoint naming the file and the key.
class ConfigSection {
 public:
  using Keys = std::initializer_list<std::string_view>;

  /// Reads `folder`/config.json.
  static ConfigSection read(const std::filesystem::path& folder);

  /// The member object `key`; absent: an empty section, all of whose members are at their defaults.
  ConfigSection section(std::string_view key) const;
  /// The member object `key`, whose missing members are looked up here (text keys lie flat at the root of many configs).
  ConfigSection section_over_this(std::string_view key) const;

  bool has(std::string_view key) const { return find({key}) != nullptr; }
  /// Whether `key` is there and null: a class default does not stand in for it.
  bool is_null(std::string_view key) const;
  /// An integer in [1, max].
  int64_t count(Keys keys, int64_t fallback, int64_t max) const;
  /// As count(), for a key without default.
  std::optional<int64_t> optional_count(Keys keys, int64_t max) const;
  /// A place in a list, or its end: from 0 on.
  int64_t index(Keys keys, int64_t fallback, int64_t max) const;
  /// A vocabulary id.
  int32_t token_id(Keys keys, int32_t fallback) const;
  /// A finite number above 0.
  double positive(Keys keys, double fallback) const;
  bool flag(Keys keys, bool fallback) const;
  std::string text(Keys keys, std::string_view fallback) const;
  /// A string, or a number as C's %g writes it.
  std::string label(Keys keys, std::string_view fallback) const;
  /// Integers in [0, max].
  std::vector<int64_t> integers(Keys keys, const std::vector<int64_t>& fallback, int64_t max) const;
  /// One integer or several, in [-bound, bound].
  std::vector<int64_t> signed_integers(std::string_view key, int64_t fallback, int64_t bound) const;
  /// Finite numbers above 0.
  std::vector<double> positives(std::string_view key) const;
  std::vector<std::string> texts(std::string_view key) const;
  /// "silu", "gelu", "gelu_pytorch_tanh", "quick_gelu", ...; throws kUnsupportedArchitecture on others.
  Activation activation(Keys keys, std::string_view fallback) const;

  [[noreturn]] void fail(std::string_view key, const std::string& what) const;
  [[noreturn]] void fail_unsupported(std::string_view key, const std::string& what) const;

 private:
  ConfigSection(std::shared_ptr<const Json> root, std::vector<const Json*> objects, std::string path)
      : root_(std::move(root)), objects_(std::move(objects)), path_(std::move(path)) {}
  const Json* find(Keys keys) const;
  int64_t checked_integer(const Json& value, Keys keys, int64_t min, int64_t max) const;
  std::string name_of(std::string_view key) const { return path_ + "." + std::string(key); }

  std::shared_ptr<const Json> root_;  ///< keeps the objects alive
  std::vector<const Json*> objects_;  ///< looked up in this order; may be empty
  std::string path_;                  ///< "<file>: text_config", for messages
};

}  // namespace sensorium
