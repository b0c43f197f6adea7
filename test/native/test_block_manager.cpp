#include "check.h"
#include "core/error.h"
#include "engine/block_manager.h"

using namespace sensorium;

TEST(gives_every_block_once_and_then_none) {
  BlockManager blocks(3);
  std::vector<bool> seen(3, false);
  for (int i = 0; i < 3; ++i) {
    const auto block = blocks.allocate();
    CHECK(block.has_value() && !seen[static_cast<size_t>(*block)]);
    seen[static_cast<size_t>(*block)] = true;
  }
  CHECK(!blocks.allocate().has_value());
  CHECK_EQ(blocks.num_used(), 3);
  blocks.release(1);
  CHECK_EQ(blocks.num_used(), 2);
  CHECK_EQ(blocks.allocate(), std::optional<int32_t>(1));
}

TEST(frees_a_shared_block_with_its_last_user) {
  BlockManager blocks(1);
  const int32_t block = *blocks.allocate();
  blocks.acquire(block);
  blocks.release(block);
  CHECK(blocks.is_used(block));
  CHECK(!blocks.allocate().has_value());
  blocks.release(block);
  CHECK(!blocks.is_used(block));
  CHECK_EQ(blocks.num_available(), 1);
}

TEST(refuses_to_release_or_use_a_free_block) {
  BlockManager blocks(2);
  const int32_t block = *blocks.allocate();
  blocks.release(block);
  CHECK_THROWS(blocks.release(block), ErrorCode::kInternal);
  CHECK_THROWS(blocks.acquire(block), ErrorCode::kInternal);
  CHECK_THROWS(blocks.keep(block), ErrorCode::kInternal);
  CHECK_EQ(blocks.num_available(), 2);
}

TEST(evicts_reusable_blocks_oldest_first_and_only_when_none_is_free) {
  BlockManager blocks(4);
  std::vector<int32_t> evicted;
  blocks.set_on_evict([&](int32_t block) { evicted.push_back(block); });
  for (int i = 0; i < 3; ++i) blocks.keep(*blocks.allocate());
  blocks.release(1);
  blocks.release(0);
  blocks.release(2);
  CHECK_EQ(blocks.num_used(), 0);
  CHECK_EQ(blocks.num_available(), 4);
  blocks.acquire(0);  // used again: out of the list
  CHECK_EQ(*blocks.allocate(), 3);
  CHECK(evicted.empty());
  CHECK_EQ(*blocks.allocate(), 1);
  CHECK_EQ(*blocks.allocate(), 2);
  CHECK(!blocks.allocate().has_value());
  CHECK((evicted == std::vector<int32_t>{1, 2}));
  // A block whose content was lost is free after its release.
  blocks.release(1);
  CHECK_THROWS(blocks.acquire(1), ErrorCode::kInternal);
}

TEST(drops_reusable_blocks_but_not_used_ones) {
  BlockManager blocks(3);
  int num_evicted = 0;
  blocks.set_on_evict([&](int32_t) { num_evicted++; });
  for (int i = 0; i < 3; ++i) blocks.keep(*blocks.allocate());
  blocks.release(0);
  blocks.release(2);
  blocks.drop_reusable();
  CHECK_EQ(num_evicted, 2);
  CHECK(blocks.is_used(1));
  CHECK_THROWS(blocks.acquire(0), ErrorCode::kInternal);
  CHECK_EQ(blocks.num_available(), 2);
}

TEST(refuses_a_cache_without_blocks) { CHECK_THROWS(BlockManager(0), ErrorCode::kInvalidArgument); }
