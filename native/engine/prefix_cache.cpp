#include "engine/prefix_cache.h"

#include <bit>
#include <functional>

namespace sensorium {
namespace {

/// Finalizer of splitmix64.
uint64_t mix(uint64_t value) {
  value = (value ^ (value >> 30)) * 0xBF58476D1CE4E5B9U;
  value = (value ^ (value >> 27)) * 0x94D049BB133111EBU;
  return value ^ (value >> 31);
}

void combine(uint64_t& state, uint64_t value) { state = mix(state + 0x9E3779B97F4A7C15U + value); }

}  // namespace

size_t hash_block_key(const BlockKey& key) {
  const std::hash<std::string> hash_string;
  uint64_t state = key.parent_id;
  combine(state, hash_string(key.cache_salt));
  combine(state, key.is_long_context ? 1 : 0);
  for (const int32_t token : key.token_ids) combine(state, static_cast<uint32_t>(token));
  for (const BlockMedia& media : key.media) {
    combine(state, hash_string(media.key));
    combine(state, uint64_t{static_cast<uint32_t>(media.begin)} << 32 | static_cast<uint32_t>(media.row_begin));
  }
  return state;
}

PrefixCache::PrefixCache(BlockManager& blocks, Hash hash)
    : blocks_(blocks), entries_(16, hash), key_of_block_(static_cast<size_t>(blocks.num_blocks()), nullptr) {
  blocks.set_on_evict([this](int32_t block) { evict(block); });
}

std::optional<PrefixCache::Entry> PrefixCache::find(const BlockKey& key) const {
  const auto found = entries_.find(key);
  return found == entries_.end() ? std::nullopt : std::optional(found->second);
}

PrefixCache::Entry PrefixCache::insert(BlockKey key, int32_t block) {
  const auto [entry, is_new] = entries_.try_emplace(std::move(key), Entry{block, next_id_});
  if (is_new) {
    next_id_++;
    key_of_block_[static_cast<size_t>(block)] = &entry->first;
    blocks_.keep(block);
  }
  return entry->second;
}

void PrefixCache::evict(int32_t block) {
  const BlockKey*& key = key_of_block_[static_cast<size_t>(block)];
  if (key == nullptr) return;
  entries_.erase(entries_.find(*key));
  key = nullptr;
  num_evictions_++;
}

}  // namespace sensorium
