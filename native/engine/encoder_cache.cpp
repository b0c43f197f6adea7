#include "engine/encoder_cache.h"

#include <algorithm>
#include <utility>

#include "core/error.h"

namespace sensorium {

std::string encoder_key(std::string_view media_key, int32_t num_rows) {
  return std::to_string(num_rows) + " " + std::string(media_key);
}

bool EncoderCache::contains_media(std::string_view media_key) const {
  return std::any_of(entries_.begin(), entries_.end(), [&](const auto& entry) {
    const std::string_view key = entry.first;
    return !entry.second.rows.empty() && key.substr(key.find(' ') + 1) == media_key;
  });
}

bool EncoderCache::contains(const std::string& key) const {
  const auto found = entries_.find(key);
  return found != entries_.end() && !found->second.rows.empty();
}

bool EncoderCache::is_reserved(const std::string& key) const {
  const auto found = entries_.find(key);
  return found != entries_.end() && found->second.rows.empty();
}

bool EncoderCache::acquire(const std::string& key) {
  const auto found = entries_.find(key);
  if (found == entries_.end()) return false;
  Entry& entry = found->second;
  if (entry.num_users++ == 0) {
    unpinned_.erase(entry.age);
    unpinned_bytes_ -= entry.size_bytes;
    pinned_bytes_ += entry.size_bytes;
  }
  return true;
}

bool EncoderCache::has_room(size_t size_bytes) const {
  return pinned_bytes_ == 0 || (size_bytes <= capacity_bytes_ && pinned_bytes_ <= capacity_bytes_ - size_bytes);
}

void EncoderCache::reserve(const std::string& key, size_t size_bytes) {
  Entry entry;
  entry.size_bytes = size_bytes;
  entry.num_users = 1;
  if (!entries_.emplace(key, std::move(entry)).second) throw Error(ErrorCode::kInternal, "encoder entry exists: " + key);
  pinned_bytes_ += size_bytes;
  evict_down_to(capacity_bytes_);
}

void EncoderCache::fill(const std::string& key, Tensor rows) {
  const auto found = entries_.find(key);
  if (found == entries_.end()) throw Error(ErrorCode::kInternal, "no reserved encoder entry: " + key);
  found->second.rows = std::move(rows);
}

const Tensor& EncoderCache::rows(const std::string& key) const {
  const auto found = entries_.find(key);
  if (found == entries_.end() || found->second.rows.empty()) {
    throw Error(ErrorCode::kInternal, "no encoder rows for media key " + key);
  }
  return found->second.rows;
}

void EncoderCache::release(const std::string& key) {
  const auto found = entries_.find(key);
  if (found == entries_.end() || found->second.num_users == 0) {
    throw Error(ErrorCode::kInternal, "encoder entry is not in use: " + key);
  }
  Entry& entry = found->second;
  if (--entry.num_users > 0) return;
  pinned_bytes_ -= entry.size_bytes;
  if (entry.rows.empty()) {
    entries_.erase(found);
    return;
  }
  entry.age = unpinned_.insert(unpinned_.end(), key);
  unpinned_bytes_ += entry.size_bytes;
  evict_down_to(capacity_bytes_);
}

void EncoderCache::clear() { evict_down_to(0); }

void EncoderCache::evict_down_to(size_t limit_bytes) {
  while (!unpinned_.empty() && size_bytes() > limit_bytes) {
    const auto found = entries_.find(unpinned_.front());
    unpinned_bytes_ -= found->second.size_bytes;
    entries_.erase(found);
    unpinned_.pop_front();
    num_evictions_++;
  }
}

}  // namespace sensorium
