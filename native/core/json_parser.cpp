#include <algorithm>
#include <charconv>
#include <cstdlib>
#include <string>
#include <vector>

#include "core/error.h"
#include "core/json.h"

namespace sensorium {
namespace {

constexpr int kMaxDepth = 64;
constexpr size_t kMaxValues = size_t{4} << 20;  // what a small text may not expand beyond

bool is_digit(char c) { return c >= '0' && c <= '9'; }

void append_utf8(uint32_t code_point, std::string& out) {
  const auto put = [&](uint32_t byte) { out.push_back(static_cast<char>(byte)); };
  if (code_point < 0x80) return put(code_point);
  if (code_point < 0x800) {
    put(0xc0 | (code_point >> 6));
  } else {
    if (code_point < 0x10000) {
      put(0xe0 | (code_point >> 12));
    } else {
      put(0xf0 | (code_point >> 18));
      put(0x80 | ((code_point >> 12) & 0x3f));
    }
    put(0x80 | ((code_point >> 6) & 0x3f));
  }
  put(0x80 | (code_point & 0x3f));
}

/// Length of the well-formed UTF-8 sequence of two bytes or more at the start of `text`, 0 when malformed.
size_t utf8_length(std::string_view text) {
  const auto byte = [&](size_t i) { return static_cast<unsigned char>(text[i]); };
  const unsigned char lead = byte(0);
  const size_t length = lead >= 0xf0 ? 4 : lead >= 0xe0 ? 3 : 2;
  if (lead < 0xc2 || lead > 0xf4 || text.size() < length) return 0;
  // The second byte's range keeps out overlong forms, surrogates and code points above U+10FFFF.
  const unsigned char low = lead == 0xe0 ? 0xa0 : lead == 0xf0 ? 0x90 : 0x80;
  const unsigned char high = lead == 0xed ? 0x9f : lead == 0xf4 ? 0x8f : 0xbf;
  if (byte(1) < low || byte(1) > high) return 0;
  for (size_t i = 2; i < length; ++i) {
    if ((byte(i) & 0xc0) != 0x80) return 0;
  }
  return length;
}

double to_double(const std::string& digits, bool& is_in_range) {
  double value = 0;
#if defined(__cpp_lib_to_chars)
  is_in_range = std::from_chars(digits.data(), digits.data() + digits.size(), value).ec == std::errc();
#else
  value = std::strtod(digits.c_str(), nullptr);
  is_in_range = value - value == 0;
#endif
  return value;
}

}  // namespace

/// Recursive descent over the text; depth is bounded, so is the stack.
class JsonParser {
 public:
  explicit JsonParser(std::string_view text) : text_(text) {}

  Json parse_document() {
    Json value = parse_value(0);
    skip_space();
    if (position_ != text_.size()) fail("text after the value");
    return value;
  }

 private:
  [[noreturn]] void fail(const std::string& what) const {
    throw Error(ErrorCode::kInvalidArgument, "invalid JSON at byte " + std::to_string(position_) + ": " + what);
  }

  char peek() const { return position_ < text_.size() ? text_[position_] : '\0'; }

  void skip_space() {
    while (position_ < text_.size() && (peek() == ' ' || peek() == '\n' || peek() == '\r' || peek() == '\t')) ++position_;
  }

  bool take(char c) {
    skip_space();
    if (peek() != c || position_ == text_.size()) return false;
    ++position_;
    return true;
  }

  void expect(char c) {
    if (!take(c)) fail(std::string("expected '") + c + "'");
  }

  void expect_word(std::string_view word) {
    if (text_.substr(position_, word.size()) != word) fail("unknown word");
    position_ += word.size();
  }

  Json parse_value(int depth) {
    if (depth > kMaxDepth) fail("nested more than " + std::to_string(kMaxDepth) + " deep");
    if (++num_values_ > kMaxValues) fail("more than " + std::to_string(kMaxValues) + " values");
    skip_space();
    if (position_ == text_.size()) fail("unexpected end");
    Json json;
    switch (peek()) {
      case '{':
        json.value_ = parse_object(depth);
        break;
      case '[':
        json.value_ = parse_array(depth);
        break;
      case '"':
        json.value_ = parse_string();
        break;
      case 't':
        expect_word("true");
        json.value_ = true;
        break;
      case 'f':
        expect_word("false");
        json.value_ = false;
        break;
      case 'n':
        expect_word("null");
        break;
      default:
        parse_number(json);
    }
    return json;
  }

  Json::Array parse_array(int depth) {
    expect('[');
    Json::Array array;
    if (take(']')) return array;
    do {
      array.push_back(parse_value(depth + 1));
    } while (take(','));
    expect(']');
    return array;
  }

  Json::Object parse_object(int depth) {
    expect('{');
    Json::Object object;
    if (take('}')) return object;
    do {
      skip_space();
      if (peek() != '"') fail("expected a key");
      std::string key = parse_string();
      expect(':');
      object.emplace_back(std::move(key), parse_value(depth + 1));
    } while (take(','));
    expect('}');
    check_unique_keys(object);
    return object;
  }

  void check_unique_keys(const Json::Object& object) const {
    std::vector<std::string_view> keys;
    keys.reserve(object.size());
    for (const auto& [key, value] : object) keys.push_back(key);
    std::sort(keys.begin(), keys.end());
    const auto duplicate = std::adjacent_find(keys.begin(), keys.end());
    if (duplicate != keys.end()) fail("duplicate key \"" + std::string(duplicate->substr(0, 200)) + "\"");
  }

  std::string parse_string() {
    ++position_;  // the opening quote, seen by the caller
    std::string out;
    for (;;) {
      if (position_ == text_.size()) fail("unterminated string");
      const auto c = static_cast<unsigned char>(text_[position_]);
      if (c == '"') break;
      if (c < 0x20) fail("control character in a string");
      if (c == '\\') {
        parse_escape(out);
      } else {
        const size_t length = c < 0x80 ? 1 : utf8_length(text_.substr(position_));
        if (length == 0) fail("malformed UTF-8");
        out.append(text_.substr(position_, length));
        position_ += length;
      }
    }
    ++position_;
    return out;
  }

  void parse_escape(std::string& out) {
    static constexpr std::string_view kLetters = "\"\\/bfnrt";
    static constexpr std::string_view kMeanings = "\"\\/\b\f\n\r\t";
    ++position_;
    const char c = peek();
    if (c == 'u') {
      ++position_;
      return append_utf8(parse_code_point(), out);
    }
    const size_t index = c == '\0' ? std::string_view::npos : kLetters.find(c);
    if (index == std::string_view::npos) fail("unknown escape");
    out.push_back(kMeanings[index]);
    ++position_;
  }

  uint32_t parse_code_point() {
    const uint32_t first = parse_hex4();
    if (first >= 0xdc00 && first <= 0xdfff) fail("low surrogate without a high one");
    if (first < 0xd800 || first > 0xdbff) return first;
    if (text_.substr(position_, 2) != "\\u") fail("high surrogate without a low one");
    position_ += 2;
    const uint32_t second = parse_hex4();
    if (second < 0xdc00 || second > 0xdfff) fail("high surrogate without a low one");
    return 0x10000 + ((first - 0xd800) << 10) + (second - 0xdc00);
  }

  uint32_t parse_hex4() {
    uint32_t value = 0;
    for (int i = 0; i < 4; ++i, ++position_) {
      const char c = peek();
      const bool is_letter = (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
      if (!is_digit(c) && !is_letter) fail("expected four hexadecimal digits");
      value = value * 16 + static_cast<uint32_t>(is_digit(c) ? c - '0' : (c | 0x20) - 'a' + 10);
    }
    return value;
  }

  void skip_digits() {
    if (!is_digit(peek())) fail("expected a digit");
    while (is_digit(peek())) ++position_;
  }

  void parse_number(Json& json) {
    const size_t begin = position_;
    bool is_whole = true;
    if (peek() == '-') ++position_;
    if (peek() == '0') {
      ++position_;
    } else {
      if (!is_digit(peek())) fail("unexpected character");
      skip_digits();
    }
    if (peek() == '.') {
      is_whole = false;
      ++position_;
      skip_digits();
    }
    if (peek() == 'e' || peek() == 'E') {
      is_whole = false;
      ++position_;
      if (peek() == '+' || peek() == '-') ++position_;
      skip_digits();
    }
    const std::string digits(text_.substr(begin, position_ - begin));
    int64_t integer = 0;
    if (is_whole && std::from_chars(digits.data(), digits.data() + digits.size(), integer).ec == std::errc()) {
      json.value_ = integer;
      return;
    }
    bool is_in_range = true;
    json.value_ = to_double(digits, is_in_range);
    if (!is_in_range) fail("number out of range");
  }

  std::string_view text_;
  size_t position_ = 0;
  size_t num_values_ = 0;
};

Json Json::parse(std::string_view text) { return JsonParser(text).parse_document(); }

}  // namespace sensorium
