#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <vector>

namespace sensorium {

/// Reference counts of the KV cache's blocks. A block is free, used (count > 0), or reusable: nobody uses it, but its
/// content is kept until the room is needed, least recently released first. All operations are O(1).
class BlockManager {
 public:
  explicit BlockManager(int64_t num_blocks);

  /// A block with count 1: a free one, else the oldest reusable one, whose content is lost (on_evict is told first).
  std::optional<int32_t> allocate();
  /// One more user of a used or reusable block.
  void acquire(int32_t block);
  /// One user less. The last one leaves the block reusable where it is kept, else free.
  void release(int32_t block);
  /// Marks the content of a used block as worth keeping after its release.
  void keep(int32_t block);
  /// Frees every reusable block; on_evict is told of each.
  void drop_reusable();
  void set_on_evict(std::function<void(int32_t block)> on_evict) { on_evict_ = std::move(on_evict); }

  bool is_used(int32_t block) const { return blocks_[static_cast<size_t>(block)].num_users > 0; }
  int32_t num_users(int32_t block) const { return blocks_[static_cast<size_t>(block)].num_users; }
  int64_t num_blocks() const { return static_cast<int64_t>(blocks_.size()) - 1; }
  /// Free and reusable blocks: what allocate() can still give.
  int64_t num_available() const { return static_cast<int64_t>(free_.size()) + num_reusable_; }
  int64_t num_used() const { return num_blocks() - num_available(); }

 private:
  struct Block {
    int32_t num_users = 0;
    bool is_kept = false;
    int32_t previous = 0, next = 0;  ///< neighbours in the list of reusable blocks
  };
  Block& used_block(int32_t block);
  void unlink(int32_t block);

  std::vector<Block> blocks_;  ///< the last one is the head of the circular list of reusable blocks, oldest first
  std::vector<int32_t> free_;
  int64_t num_reusable_ = 0;
  std::function<void(int32_t)> on_evict_;
};

}  // namespace sensorium
