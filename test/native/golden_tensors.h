#pragma once

#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <stdexcept>
#include <string>
#include <vector>

#include "core/json.h"

/// Reads golden tensors with a few lines of its own, so that a fault of the checkpoint reader cannot hide here.
namespace golden {

inline std::filesystem::path root() {
  if (const char* folder = std::getenv("SENSORIUM_GOLDENS")) return folder;
  const std::filesystem::path source = SENSORIUM_SOURCE_DIR;
  const std::filesystem::path shared = source / ".." / "shared" / "goldens";
  return std::filesystem::exists(shared) ? shared : source / "test" / "goldens";
}

class Tensors {
 public:
  explicit Tensors(const std::filesystem::path& path) {
    std::ifstream file(path, std::ios::binary);
    if (!file) throw std::runtime_error("cannot open " + path.string());
    bytes_.assign(std::istreambuf_iterator<char>(file), {});
    uint64_t header_bytes = 0;
    std::memcpy(&header_bytes, bytes_.data(), sizeof(header_bytes));
    data_offset_ = 8 + header_bytes;
    header_ = sensorium::Json::parse({bytes_.data() + 8, header_bytes});
  }
  bool has(const std::string& name) const { return header_.find(name) != nullptr; }
  std::vector<int64_t> shape(const std::string& name) const {
    std::vector<int64_t> shape;
    for (const auto& size : entry(name).find("shape")->as_array()) shape.push_back(size.as_int());
    return shape;
  }
  /// Integers or floats as floats.
  std::vector<float> numbers(const std::string& name) const {
    const std::string& dtype = entry(name).find("dtype")->as_string();
    if (dtype == "F32") return get<float>(name);
    if (dtype == "I64") return as_floats(get<int64_t>(name));
    return as_floats(get<int32_t>(name));
  }
  template <typename T>
  std::vector<T> get(const std::string& name) const {
    const auto& offsets = entry(name).find("data_offsets")->as_array();
    const auto begin = static_cast<size_t>(offsets[0].as_int()), end = static_cast<size_t>(offsets[1].as_int());
    std::vector<T> values((end - begin) / sizeof(T));
    std::memcpy(values.data(), bytes_.data() + data_offset_ + begin, end - begin);
    return values;
  }

 private:
  template <typename T>
  static std::vector<float> as_floats(const std::vector<T>& integers) {
    return {integers.begin(), integers.end()};
  }
  const sensorium::Json& entry(const std::string& name) const {
    const sensorium::Json* found = header_.find(name);
    if (found == nullptr) throw std::runtime_error("no golden tensor " + name);
    return *found;
  }

  std::vector<char> bytes_;
  size_t data_offset_ = 0;
  sensorium::Json header_;
};

}  // namespace golden
