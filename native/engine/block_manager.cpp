#include "engine/block_manager.h"

#include <string>

#include "core/error.h"

namespace sensorium {

BlockManager::BlockManager(int64_t num_blocks) {
  if (num_blocks < 1 || num_blocks >= INT32_MAX) {
    throw Error(ErrorCode::kInvalidArgument, "num_blocks is " + std::to_string(num_blocks) + ", at least 1 is needed");
  }
  blocks_.resize(static_cast<size_t>(num_blocks) + 1);
  const auto head = static_cast<int32_t>(num_blocks);
  blocks_.back().previous = blocks_.back().next = head;
  free_.reserve(static_cast<size_t>(num_blocks));
  for (int32_t block = head - 1; block >= 0; --block) free_.push_back(block);
}

std::optional<int32_t> BlockManager::allocate() {
  int32_t block;
  if (!free_.empty()) {
    block = free_.back();
    free_.pop_back();
  } else if (num_reusable_ > 0) {
    block = blocks_.back().next;
    if (on_evict_) on_evict_(block);
    unlink(block);
  } else {
    return std::nullopt;
  }
  blocks_[static_cast<size_t>(block)].num_users = 1;
  blocks_[static_cast<size_t>(block)].is_kept = false;
  return block;
}

void BlockManager::acquire(int32_t block) {
  Block& entry = blocks_.at(static_cast<size_t>(block));
  if (entry.num_users == 0) {
    if (!entry.is_kept) throw Error(ErrorCode::kInternal, "block " + std::to_string(block) + " is free");
    unlink(block);
  }
  entry.num_users++;
}

void BlockManager::release(int32_t block) {
  Block& entry = used_block(block);
  if (--entry.num_users > 0) return;
  if (!entry.is_kept) {
    free_.push_back(block);
    return;
  }
  Block& head = blocks_.back();
  entry.previous = head.previous;
  entry.next = static_cast<int32_t>(num_blocks());
  blocks_[static_cast<size_t>(head.previous)].next = block;
  head.previous = block;
  num_reusable_++;
}

void BlockManager::keep(int32_t block) { used_block(block).is_kept = true; }

void BlockManager::drop_reusable() {
  while (num_reusable_ > 0) {
    const int32_t block = blocks_.back().next;
    if (on_evict_) on_evict_(block);
    unlink(block);
    blocks_[static_cast<size_t>(block)].is_kept = false;
    free_.push_back(block);
  }
}

BlockManager::Block& BlockManager::used_block(int32_t block) {
  Block& entry = blocks_.at(static_cast<size_t>(block));
  if (block >= num_blocks() || entry.num_users == 0) {
    throw Error(ErrorCode::kInternal, "block " + std::to_string(block) + " is not in use");
  }
  return entry;
}

void BlockManager::unlink(int32_t block) {
  const Block& entry = blocks_[static_cast<size_t>(block)];
  blocks_[static_cast<size_t>(entry.previous)].next = entry.next;
  blocks_[static_cast<size_t>(entry.next)].previous = entry.previous;
  num_reusable_--;
}

}  // namespace sensorium
