#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

namespace sensorium {

/// A parsed JSON value. The parser is strict (RFC 8259, well-formed UTF-8 and surrogate pairs), bounds its depth (64) and its
/// number of values (4 Mi), and rejects duplicate keys.
class Json {
 public:
  using Array = std::vector<Json>;
  using Object = std::vector<std::pair<std::string, Json>>;  ///< in file order

  /// Throws kInvalidArgument with the byte offset of the fault.
  static Json parse(std::string_view text);
  /// Reads and parses a file of at most `max_bytes`; throws kInvalidCheckpoint naming the file.
  static Json parse_file(const std::string& path, size_t max_bytes = 64u << 20);

  bool is_null() const;
  bool is_bool() const;
  bool is_number() const;
  bool is_integer() const;  ///< a number without fraction or exponent that fits int64
  bool is_string() const;
  bool is_array() const;
  bool is_object() const;

  // Each throws kInvalidArgument when the value is of another kind.
  bool as_bool() const;
  double as_double() const;
  int64_t as_int() const;
  const std::string& as_string() const;
  const Array& as_array() const;
  const Object& as_object() const;

  /// Member of an object, or nullptr when absent (or when this is not an object).
  const Json* find(std::string_view key) const;
  /// Member that is present and not null, or `fallback`; throws kInvalidArgument naming the key on a wrong kind.
  int64_t get_int(std::string_view key, int64_t fallback) const;
  double get_double(std::string_view key, double fallback) const;
  bool get_bool(std::string_view key, bool fallback) const;
  std::string get_string(std::string_view key, std::string_view fallback) const;

 private:
  friend class JsonParser;
  std::variant<std::monostate, bool, int64_t, double, std::string, Array, Object> value_;
};

}  // namespace sensorium
