#pragma once

#include <cstddef>
#include <filesystem>
#include <map>
#include <span>
#include <string>
#include <string_view>

#include "core/tensor.h"
#include "weights/mapped_file.h"

namespace sensorium {

/// One tensor of a safetensors file; offsets count from the first byte after the header.
struct SafetensorsEntry {
  DType dtype = DType::kFloat32;
  Shape shape;
  size_t begin = 0;
  size_t end = 0;
};

/// A checked header. Every range lies inside the data, has the size that dtype and shape say, and together the ranges cover the
/// data without overlap or gap.
struct SafetensorsHeader {
  std::map<std::string, SafetensorsEntry, std::less<>> tensors;
  size_t data_offset = 0;  ///< of the first data byte in the file
};

/// Reads the header of a file whose bytes are `file`. Throws kInvalidCheckpoint with the fault (without the file's name),
/// kUnsupportedArchitecture on a dtype of the format that is not read here.
SafetensorsHeader parse_safetensors(std::span<const std::byte> file);

/// A mapped safetensors file with its checked header.
class SafetensorsFile {
 public:
  /// Throws kInvalidCheckpoint naming the file.
  static SafetensorsFile open(const std::filesystem::path& path);

  const SafetensorsHeader& header() const { return header_; }
  const std::filesystem::path& path() const { return path_; }
  /// `entry` must be one of header(). The data may lie at any address: copy_to_float() reads it unaligned.
  TensorView view(const SafetensorsEntry& entry) const;
  /// Lets go of the memory behind the entry's bytes; they can still be read.
  void release(const SafetensorsEntry& entry) const;

 private:
  SafetensorsFile(std::filesystem::path path, MappedFile file, SafetensorsHeader header)
      : path_(std::move(path)), file_(std::move(file)), header_(std::move(header)) {}

  std::filesystem::path path_;
  MappedFile file_;
  SafetensorsHeader header_;
};

}  // namespace sensorium
