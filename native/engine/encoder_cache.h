#pragma once

#include <cstdint>
#include <list>
#include <string>
#include <string_view>
#include <unordered_map>

#include "core/tensor.h"

namespace sensorium {

/// Names an item's encoder output. The number of rows is part of it: when different contents come under one media key, none is
/// served with another number of rows than it has placeholders.
std::string encoder_key(std::string_view media_key, int32_t num_rows);

/// Encoder outputs by encoder key. Entries in use are pinned by a count; the others stay, least recently used first out,
/// while all together fit the capacity. An entry above the capacity lives only while it is in use.
class EncoderCache {
 public:
  explicit EncoderCache(size_t capacity_bytes) : capacity_bytes_(capacity_bytes) {}

  /// True when an entry with rows is here, in use or not.
  bool contains(const std::string& key) const;
  /// True when rows of an item with this media key are here, whatever their number.
  bool contains_media(std::string_view media_key) const;
  /// One more user of an entry, computed or reserved; false when there is none.
  bool acquire(const std::string& key);
  /// Whether `size_bytes` more in use stay within the capacity. An empty house takes any size.
  bool has_room(size_t size_bytes) const;
  /// Announces an entry with one user whose rows are going to be computed.
  void reserve(const std::string& key, size_t size_bytes);
  /// True when an entry was announced whose rows are not there yet.
  bool is_reserved(const std::string& key) const;
  /// Gives the rows [num_rows, embedding_width] of a reserved entry.
  void fill(const std::string& key, Tensor rows);
  /// Rows of an entry in use; throws kInternal when there are none.
  const Tensor& rows(const std::string& key) const;
  /// One user less. A reserved entry without rows goes with its last user.
  void release(const std::string& key);
  /// Drops the entries that nobody uses.
  void clear();

  size_t size_bytes() const { return pinned_bytes_ + unpinned_bytes_; }
  size_t pinned_bytes() const { return pinned_bytes_; }
  int64_t num_evictions() const { return num_evictions_; }

 private:
  struct Entry {
    Tensor rows;
    size_t size_bytes = 0;
    int32_t num_users = 0;
    std::list<std::string>::iterator age;  ///< valid while num_users == 0
  };
  void evict_down_to(size_t limit_bytes);

  size_t capacity_bytes_;
  size_t pinned_bytes_ = 0, unpinned_bytes_ = 0;
  std::unordered_map<std::string, Entry> entries_;
  std::list<std::string> unpinned_;  ///< least recently used first
  int64_t num_evictions_ = 0;
};

}  // namespace sensorium
