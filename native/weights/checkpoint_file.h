#pragma once

#include <cstddef>
#include <filesystem>
#include <span>
#include <string>

namespace sensorium {

/// A regular file that is read, never mapped: one that becomes shorter meanwhile is an error, where touching a mapping would
/// end the process.
class CheckpointFile {
 public:
  /// Throws kInvalidCheckpoint naming the file when it is missing or not a regular file.
  static CheckpointFile open(const std::filesystem::path& path);
  ~CheckpointFile();
  CheckpointFile(CheckpointFile&& other) noexcept;
  CheckpointFile& operator=(CheckpointFile&& other) noexcept;
  CheckpointFile(const CheckpointFile&) = delete;
  CheckpointFile& operator=(const CheckpointFile&) = delete;

  /// When it was opened.
  size_t size_bytes() const { return size_bytes_; }
  /// Fills `out` from `offset` on. Throws kInvalidCheckpoint naming the file where it has not as many bytes (any more).
  void read(size_t offset, std::span<std::byte> out) const;

 private:
  CheckpointFile(std::string path, int descriptor, size_t size_bytes)
      : path_(std::move(path)), descriptor_(descriptor), size_bytes_(size_bytes) {}

  std::string path_;
  int descriptor_ = -1;
  size_t size_bytes_ = 0;
};

}  // namespace sensorium
