#pragma once

#include <cstddef>
#include <filesystem>
#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "core/tensor.h"
#include "weights/safetensors.h"

namespace sensorium {

/// Turns a tensor's name on disk into the one the family asks for; an empty result leaves the tensor out.
using NameRule = std::function<std::string(std::string_view disk_name)>;

/// The tensors of a Hub-layout folder: model.safetensors, or the shards that model.safetensors.index.json lists. Mapped, not
/// read: a view costs nothing until its bytes are touched. One thread at a time.
class Checkpoint {
 public:
  /// Throws kInvalidCheckpoint naming the file and the fault, kUnsupportedArchitecture on a dtype that is not read here.
  static Checkpoint open(const std::filesystem::path& folder, const NameRule& rule = {});
  /// Takes in the tensors of a further folder (an adapter's base model); throws as open(), and where both have a tensor.
  void add_folder(const std::filesystem::path& folder, const NameRule& rule = {});

  bool has(std::string_view name) const;
  /// The tensor, marked as read. Throws kInvalidCheckpoint naming folder, tensor, found and expected shape.
  TensorView get(std::string_view name, const Shape& expected) const;
  /// As get(), for a shape that the caller learns from the file.
  TensorView get_any(std::string_view name) const;
  /// Tells that the tensor's bytes were copied: its pages leave memory. Its views stay valid (they are read again from disk).
  void release(std::string_view name) const;

  /// Counts the tensors whose names begin with `prefix` as read: the family knows them and has no use for them.
  void ignore(std::string_view prefix) const;

  std::vector<std::string> names() const;
  std::vector<std::string> unread() const;  ///< names never read, for one warning
  size_t total_bytes() const;               ///< of tensor data
  size_t read_bytes() const;                ///< of the tensors read so far (progress)

 private:
  struct Entry {
    size_t shard = 0;
    const SafetensorsEntry* tensor = nullptr;  ///< owned by the shard
    mutable bool is_read = false;
  };

  const Entry& find(std::string_view name) const;
  void add(std::string name, size_t shard, const SafetensorsEntry& tensor);
  void open_single(const std::filesystem::path& file, const NameRule& rule);
  void open_sharded(const std::filesystem::path& index, const NameRule& rule);

  std::string folder_;
  std::vector<SafetensorsFile> shards_;
  std::map<std::string, Entry, std::less<>> entries_;
  size_t total_bytes_ = 0;
  mutable size_t read_bytes_ = 0;
};

}  // namespace sensorium
