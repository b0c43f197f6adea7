#pragma once

#include <compare>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "engine/block_manager.h"

namespace sensorium {

/// The part of a media item's run that lies in a block.
struct BlockMedia {
  std::string key;
  int32_t begin = 0;      ///< first token in the block
  int32_t count = 0;      ///< tokens in the block
  int32_t row_begin = 0;  ///< encoder row of the first one
  bool operator==(const BlockMedia&) const = default;
};

/// Everything that a full block's keys and values depend on: what lies before it, its tokens, their positions and its media.
struct BlockKey {
  uint64_t parent_id = 0;        ///< identity of the block before; 0: none
  std::string cache_salt;        ///< of the first block of a chain; its successors inherit it through parent_id
  bool is_long_context = false;  ///< see ModelInfo::short_context
  std::vector<int32_t> token_ids;
  /// Bits of each token's (temporal, height, width). Media outside the block, behind it too, can move them.
  std::vector<uint32_t> position_bits;
  std::vector<BlockMedia> media;
  bool operator==(const BlockKey&) const = default;
};

size_t hash_block_key(const BlockKey& key);

/// Finds computed blocks by content. A hash only selects candidates: the whole key is compared.
class PrefixCache {
 public:
  using Hash = size_t (*)(const BlockKey&);
  /// A cached block; `id` is unique over the cache's life, so a chain names exactly one content.
  struct Entry {
    int32_t block = 0;
    uint64_t id = 0;
  };

  /// Takes over `blocks`' evict callback. `blocks` must outlive the cache.
  explicit PrefixCache(BlockManager& blocks, Hash hash = hash_block_key);

  std::optional<Entry> find(const BlockKey& key) const;
  /// Registers a computed block in use, or yields the one that is registered with this content already.
  Entry insert(BlockKey key, int32_t block);
  /// Forgets the blocks that nobody uses.
  void clear() { blocks_.drop_reusable(); }

  size_t size() const { return entries_.size(); }  ///< in blocks
  int64_t num_evictions() const { return num_evictions_; }

 private:
  void evict(int32_t block);

  BlockManager& blocks_;
  std::unordered_map<BlockKey, Entry, Hash> entries_;
  std::vector<const BlockKey*> key_of_block_;  ///< [num_blocks], nullptr: not registered
  uint64_t next_id_ = 1;
  int64_t num_evictions_ = 0;
};

}  // namespace sensorium
