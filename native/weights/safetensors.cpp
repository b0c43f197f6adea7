#include "weights/safetensors.h"

#include <algorithm>
#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "core/error.h"
#include "core/json.h"

namespace sensorium {
namespace {

constexpr size_t kLengthBytes = 8;
constexpr size_t kMaxHeaderBytes = 100'000'000;  // the format's own limit
constexpr size_t kMaxRank = 32;
constexpr size_t kMaxShownBytes = 200;

[[noreturn]] void fail(const std::string& what) { throw Error(ErrorCode::kInvalidCheckpoint, what); }

[[noreturn]] void fail(std::string_view tensor, const std::string& what) {
  fail("tensor \"" + std::string(tensor.substr(0, kMaxShownBytes)) + "\": " + what);
}

size_t read_header_length(std::span<const std::byte> file) {
  if (file.size() < kLengthBytes) fail("file of " + std::to_string(file.size()) + " bytes is too short for safetensors");
  uint64_t length = 0;
  for (size_t i = kLengthBytes; i-- > 0;) length = length << 8 | std::to_integer<uint64_t>(file[i]);
  if (length > kMaxHeaderBytes) fail("header of " + std::to_string(length) + " bytes is over the limit of 100 MB");
  if (length > file.size() - kLengthBytes) {
    fail("header of " + std::to_string(length) + " bytes is longer than the file; was the download cut off?");
  }
  return static_cast<size_t>(length);
}

Json parse_header_json(std::span<const std::byte> file, size_t length) {
  const std::string_view text(reinterpret_cast<const char*>(file.data()) + kLengthBytes, length);
  if (text.empty() || text.front() != '{') fail("header is not a JSON object");
  try {
    return Json::parse(text);
  } catch (const Error& error) {
    fail(std::string("header: ") + error.what());
  }
}

DType parse_dtype(std::string_view tensor, const std::string& text) {
  static constexpr std::array<std::pair<std::string_view, DType>, 10> kKnown = {{{"F64", DType::kFloat64},
                                                                                 {"F32", DType::kFloat32},
                                                                                 {"F16", DType::kFloat16},
                                                                                 {"BF16", DType::kBFloat16},
                                                                                 {"I64", DType::kInt64},
                                                                                 {"I32", DType::kInt32},
                                                                                 {"I16", DType::kInt16},
                                                                                 {"I8", DType::kInt8},
                                                                                 {"U8", DType::kUInt8},
                                                                                 {"BOOL", DType::kBool}}};
  static constexpr std::array<std::string_view, 6> kNotRead = {"F8_E4M3", "F8_E5M2", "F8_E8M0", "U16", "U32", "U64"};
  for (const auto& [name, dtype] : kKnown) {
    if (name == text) return dtype;
  }
  const std::string found = "dtype \"" + text.substr(0, kMaxShownBytes) + "\"";
  if (std::find(kNotRead.begin(), kNotRead.end(), text) == kNotRead.end()) fail(tensor, "unknown " + found);
  throw Error(ErrorCode::kUnsupportedArchitecture, "tensor \"" + std::string(tensor) + "\": " + found +
                                                       " is not supported; use a float32, float16 or bfloat16 checkpoint");
}

const Json& required(std::string_view tensor, const Json& entry, std::string_view key) {
  const Json* value = entry.find(key);
  if (value == nullptr) fail(tensor, "no \"" + std::string(key) + "\"");
  return *value;
}

Shape parse_shape(std::string_view tensor, const Json& json) {
  if (!json.is_array() || json.as_array().size() > kMaxRank) {
    fail(tensor, "shape is not an array of at most " + std::to_string(kMaxRank) + " dimensions");
  }
  Shape shape;
  for (const Json& dimension : json.as_array()) {
    if (!dimension.is_integer() || dimension.as_int() < 0) fail(tensor, "a dimension of its shape is not a whole number >= 0");
    shape.push_back(dimension.as_int());
  }
  return shape;
}

std::pair<size_t, size_t> parse_offsets(std::string_view tensor, const Json& json, size_t data_bytes) {
  const auto is_offset = [](const Json& value) { return value.is_integer() && value.as_int() >= 0; };
  if (!json.is_array() || json.as_array().size() != 2 || !is_offset(json.as_array()[0]) || !is_offset(json.as_array()[1])) {
    fail(tensor, "data_offsets are not two whole numbers >= 0");
  }
  const auto begin = static_cast<uint64_t>(json.as_array()[0].as_int());
  const auto end = static_cast<uint64_t>(json.as_array()[1].as_int());
  if (begin > end || end > data_bytes) {
    fail(tensor, "data_offsets [" + std::to_string(begin) + ", " + std::to_string(end) + "] lie outside the " +
                     std::to_string(data_bytes) + " bytes of data; was the download cut off?");
  }
  return {static_cast<size_t>(begin), static_cast<size_t>(end)};
}

/// Bytes that dtype and shape say; absent when they overflow, also where a dimension of 0 hides it.
std::optional<size_t> expected_bytes(DType dtype, const Shape& shape) {
  auto bytes = static_cast<int64_t>(dtype_size(dtype));
  bool is_empty = false;
  for (const int64_t dimension : shape) {
    is_empty = is_empty || dimension == 0;
    if (dimension != 0 && __builtin_mul_overflow(bytes, dimension, &bytes)) return std::nullopt;
  }
  return is_empty ? 0 : static_cast<size_t>(bytes);
}

SafetensorsEntry parse_entry(std::string_view tensor, const Json& json, size_t data_bytes) {
  if (!json.is_object()) fail(tensor, "its entry is not an object");
  const Json& dtype = required(tensor, json, "dtype");
  if (!dtype.is_string()) fail(tensor, "dtype is not a string");
  SafetensorsEntry entry;
  entry.dtype = parse_dtype(tensor, dtype.as_string());
  entry.shape = parse_shape(tensor, required(tensor, json, "shape"));
  std::tie(entry.begin, entry.end) = parse_offsets(tensor, required(tensor, json, "data_offsets"), data_bytes);
  if (expected_bytes(entry.dtype, entry.shape) != entry.end - entry.begin) {
    fail(tensor, std::to_string(entry.end - entry.begin) + " bytes of data for " + std::string(dtype_name(entry.dtype)) + " " +
                     shape_to_string(entry.shape));
  }
  return entry;
}

void check_metadata(const Json& metadata) {
  if (!metadata.is_object()) fail("__metadata__ is not an object");
  for (const auto& [key, value] : metadata.as_object()) {
    if (!value.is_string()) fail("__metadata__: \"" + key.substr(0, kMaxShownBytes) + "\" is not a string");
  }
}

/// The ranges, in order, must join without overlap or gap and end with the data.
void check_coverage(const SafetensorsHeader& header, size_t data_bytes) {
  std::vector<std::pair<size_t, size_t>> ranges;
  ranges.reserve(header.tensors.size());
  for (const auto& [name, entry] : header.tensors) ranges.emplace_back(entry.begin, entry.end);
  std::sort(ranges.begin(), ranges.end());
  size_t position = 0;
  for (const auto& [begin, end] : ranges) {
    if (begin != position) {
      fail(std::string(begin < position ? "tensors overlap" : "bytes without a tensor") + " at data offset " +
           std::to_string(std::min(begin, position)));
    }
    position = end;
  }
  if (position != data_bytes) {
    fail(std::to_string(data_bytes - position) + " bytes of data after the last tensor");
  }
}

}  // namespace

SafetensorsHeader parse_safetensors(std::span<const std::byte> file) {
  const size_t length = read_header_length(file);
  const Json json = parse_header_json(file, length);
  const size_t data_bytes = file.size() - kLengthBytes - length;
  SafetensorsHeader header;
  header.data_offset = kLengthBytes + length;
  for (const auto& [name, value] : json.as_object()) {
    if (name == "__metadata__") {
      check_metadata(value);
    } else {
      header.tensors.emplace(name, parse_entry(name, value, data_bytes));
    }
  }
  check_coverage(header, data_bytes);
  return header;
}

SafetensorsFile SafetensorsFile::open(const std::filesystem::path& path) {
  MappedFile file = MappedFile::open(path);
  try {
    SafetensorsHeader header = parse_safetensors(file.bytes());
    return {path, std::move(file), std::move(header)};
  } catch (const Error& error) {
    throw Error(error.code(), path.string() + ": " + error.what());
  }
}

TensorView SafetensorsFile::view(const SafetensorsEntry& entry) const {
  return {file_.bytes().data() + header_.data_offset + entry.begin, entry.dtype, entry.shape};
}

void SafetensorsFile::release(const SafetensorsEntry& entry) const {
  file_.release(header_.data_offset + entry.begin, entry.end - entry.begin);
}

}  // namespace sensorium
