#pragma once

#include <cstddef>
#include <filesystem>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/tensor.h"
#include "weights/checkpoint_file.h"

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

/// Reads the header of a file of `file_bytes` whose first bytes, the whole header at least, are `begin`. Throws
/// kInvalidCheckpoint with the fault (without the file's name), kUnsupportedArchitecture on a dtype of the format that is not
/// read here.
SafetensorsHeader parse_safetensors(std::span<const std::byte> begin, size_t file_bytes);
/// The same of all bytes of a file.
inline SafetensorsHeader parse_safetensors(std::span<const std::byte> file) { return parse_safetensors(file, file.size()); }

/// A safetensors file with its checked header. Tensors are read when they are asked for. One thread at a time.
class SafetensorsFile {
 public:
  /// Throws kInvalidCheckpoint naming the file.
  static SafetensorsFile open(const std::filesystem::path& path);

  const SafetensorsHeader& header() const { return header_; }
  const std::filesystem::path& path() const { return path_; }
  /// `entry` must be one of header(). Its bytes stay in memory, for all views of it, until release(). Throws
  /// kInvalidCheckpoint where the file has become shorter, kOutOfMemory.
  TensorView view(const SafetensorsEntry& entry) const;
  /// Ends the views of `entry`; it can be read again.
  void release(const SafetensorsEntry& entry) const;

 private:
  SafetensorsFile(std::filesystem::path path, CheckpointFile file, SafetensorsHeader header)
      : path_(std::move(path)), file_(std::move(file)), header_(std::move(header)) {}

  Buffer buffer_for(size_t size_bytes) const;

  std::filesystem::path path_;
  CheckpointFile file_;
  SafetensorsHeader header_;
  mutable std::map<const SafetensorsEntry*, Buffer> held_;
  mutable std::vector<Buffer> spare_;  ///< of tensors that were released: new memory costs more than reading into old
};

}  // namespace sensorium
