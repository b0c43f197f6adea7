#pragma once

#include <cstddef>
#include <filesystem>
#include <span>

namespace sensorium {

/// A regular file mapped read-only. The mapping lives as long as the object; it moves without changing addresses.
class MappedFile {
 public:
  /// Throws kInvalidCheckpoint naming the file when it is missing, not a regular file, or cannot be mapped.
  static MappedFile open(const std::filesystem::path& path);
  ~MappedFile();
  MappedFile(MappedFile&& other) noexcept;
  MappedFile& operator=(MappedFile&& other) noexcept;
  MappedFile(const MappedFile&) = delete;
  MappedFile& operator=(const MappedFile&) = delete;

  std::span<const std::byte> bytes() const { return {data_, size_bytes_}; }
  /// Drops the whole pages of [offset, offset + size) from memory; reading them again loads them from the file.
  void release(size_t offset, size_t size_bytes) const;

 private:
  MappedFile(const std::byte* data, size_t size_bytes) : data_(data), size_bytes_(size_bytes) {}

  const std::byte* data_ = nullptr;
  size_t size_bytes_ = 0;
};

}  // namespace sensorium
