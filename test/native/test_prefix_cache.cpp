#include "check.h"
#include "engine/prefix_cache.h"
#include "engine/sequence.h"

using namespace sensorium;

namespace {

size_t same_hash(const BlockKey&) { return 7; }

BlockKey key_of(std::vector<int32_t> tokens, uint64_t parent_id = 0, std::string salt = "") {
  BlockKey key;
  key.parent_id = parent_id;
  key.cache_salt = std::move(salt);
  key.token_ids = std::move(tokens);
  return key;
}

/// A sequence "T T P P | P P P T | T Q Q Q" with item a at 2..6 and item b at 9..11.
Sequence sequence_with_media(std::string key_a, std::string key_b) {
  const auto media = std::make_shared<ProcessedMedia>();
  Sequence sequence;
  sequence.request = std::make_shared<Request>();
  sequence.request->input.prompt_ids = {1, 2, 9, 9, 9, 9, 9, 3, 4, 8, 8, 8};
  sequence.request->input.media = {{std::move(key_a), media, {{2, 5}}}, {std::move(key_b), media, {{9, 3}}}};
  sequence.request->runs = sorted_runs(sequence.request->input.media, 12);
  PromptPositions& positions = sequence.request->positions;
  for (auto* axis : {&positions.t, &positions.h, &positions.w}) {
    for (int i = 0; i < 12; ++i) axis->push_back(static_cast<float>(i));
  }
  return sequence;
}

}  // namespace

TEST(finds_what_was_inserted_and_nothing_else) {
  BlockManager blocks(4);
  PrefixCache cache(blocks);
  const auto root = cache.insert(key_of({1, 2}), *blocks.allocate());
  const auto child = cache.insert(key_of({3, 4}, root.id), *blocks.allocate());
  CHECK_EQ(cache.find(key_of({1, 2}))->block, root.block);
  CHECK_EQ(cache.find(key_of({3, 4}, root.id))->block, child.block);
  CHECK(!cache.find(key_of({3, 4})));
  CHECK(!cache.find(key_of({3, 4}, child.id)));
  CHECK(!cache.find(key_of({1, 3})));
}

TEST(compares_contents_when_all_hashes_collide) {
  BlockManager blocks(8);
  PrefixCache cache(blocks, same_hash);
  const auto one = cache.insert(key_of({1, 2}), *blocks.allocate());
  const auto other = cache.insert(key_of({2, 1}), *blocks.allocate());
  const auto salted = cache.insert(key_of({1, 2}, 0, "tenant"), *blocks.allocate());
  CHECK(one.block != other.block && one.block != salted.block);
  CHECK_EQ(cache.find(key_of({2, 1}))->block, other.block);
  CHECK_EQ(cache.find(key_of({1, 2}, 0, "tenant"))->block, salted.block);
  CHECK(!cache.find(key_of({1, 2}, one.id)));
  CHECK(!cache.find(key_of({1, 2}, 0, "stranger")));
}

TEST(yields_the_registered_block_for_content_that_is_known) {
  BlockManager blocks(2);
  PrefixCache cache(blocks);
  const int32_t first = *blocks.allocate(), second = *blocks.allocate();
  const auto entry = cache.insert(key_of({5}), first);
  const auto again = cache.insert(key_of({5}), second);
  CHECK_EQ(again.block, first);
  CHECK_EQ(again.id, entry.id);
  blocks.release(second);  // was never registered
  CHECK_EQ(*blocks.allocate(), second);
}

TEST(forgets_evicted_blocks_and_never_reuses_an_identity) {
  BlockManager blocks(1);
  PrefixCache cache(blocks);
  const auto old = cache.insert(key_of({1}), *blocks.allocate());
  blocks.release(old.block);
  CHECK(cache.find(key_of({1})).has_value());
  const int32_t block = *blocks.allocate();
  CHECK(!cache.find(key_of({1})));
  CHECK_EQ(cache.num_evictions(), 1);
  const auto renewed = cache.insert(key_of({1}), block);
  CHECK(renewed.id != old.id);
  CHECK_EQ(cache.size(), 1U);
}

TEST(clear_keeps_blocks_in_use) {
  BlockManager blocks(2);
  PrefixCache cache(blocks);
  const auto used = cache.insert(key_of({1}), *blocks.allocate());
  const auto unused = cache.insert(key_of({2}), *blocks.allocate());
  blocks.release(unused.block);
  cache.clear();
  CHECK_EQ(cache.find(key_of({1}))->block, used.block);
  CHECK(!cache.find(key_of({2})));
}

TEST(block_keys_hold_media_with_their_place_in_the_block) {
  const Sequence sequence = sequence_with_media("a", "b");
  const BlockKey first = block_key(sequence, 0, 4, 0), second = block_key(sequence, 1, 4, 1),
                 third = block_key(sequence, 2, 4, 2);
  CHECK_EQ(first.media.size(), 1U);
  CHECK_EQ(first.media[0].begin, 2);
  CHECK_EQ(first.media[0].row_begin, 0);
  CHECK_EQ(second.media.size(), 1U);
  CHECK_EQ(second.media[0].begin, 0);
  CHECK_EQ(second.media[0].count, 3);
  CHECK_EQ(second.media[0].row_begin, 2);
  CHECK_EQ(third.media[0].key, std::string("b"));
  CHECK_EQ(third.media[0].begin, 1);
}

TEST(block_keys_differ_by_media) {
  const Sequence sequence = sequence_with_media("a", "b");
  CHECK(block_key(sequence, 1, 4, 1) == block_key(sequence_with_media("a", "c"), 1, 4, 1));
  CHECK(block_key(sequence, 1, 4, 1) != block_key(sequence_with_media("c", "b"), 1, 4, 1));
}

TEST(block_keys_differ_by_positions) {
  // A clip joined with its sound moves a token before it: the same tokens stand elsewhere.
  const Sequence sequence = sequence_with_media("a", "b");
  Sequence moved = sequence_with_media("a", "b");
  moved.request->positions.w[1] = 0.0F;
  CHECK(block_key(sequence, 0, 4, 0) != block_key(moved, 0, 4, 0));
  CHECK(block_key(sequence, 1, 4, 1) == block_key(moved, 1, 4, 1));
  // An answer goes on at the position that its prompt's delta gives.
  Sequence answered = sequence_with_media("a", "b"), delayed = sequence_with_media("a", "b");
  for (Sequence* each : {&answered, &delayed}) each->output_ids = {5, 6, 7, 8};
  CHECK(block_key(answered, 3, 4, 1) == block_key(delayed, 3, 4, 1));
  delayed.request->positions.delta = 2.0F;
  CHECK(block_key(answered, 3, 4, 1) != block_key(delayed, 3, 4, 1));
}

TEST(only_the_first_block_carries_the_salt) {
  Sequence sequence = sequence_with_media("a", "b");
  sequence.request->input.cache_salt = "tenant";
  CHECK_EQ(block_key(sequence, 0, 4, 0).cache_salt, std::string("tenant"));
  CHECK_EQ(block_key(sequence, 1, 4, 1).cache_salt, std::string());
}

TEST(refuses_runs_that_do_not_lie_in_order_in_the_prompt) {
  const auto media = std::make_shared<ProcessedMedia>();
  const auto runs_of = [&](std::vector<TokenRun> a, std::vector<TokenRun> b) {
    return sorted_runs({{"a", media, std::move(a)}, {"b", media, std::move(b)}}, 10);
  };
  CHECK_EQ(runs_of({{5, 2}}, {{1, 3}})[0].item, 1);
  CHECK_EQ(runs_of({{0, 2}, {4, 2}}, {{2, 2}})[2].row_begin, 2);  // interleaved
  CHECK_THROWS(runs_of({{0, 3}}, {{2, 2}}), ErrorCode::kInvalidArgument);
  CHECK_THROWS(runs_of({{0, 0}}, {}), ErrorCode::kInvalidArgument);
  CHECK_THROWS(runs_of({{-1, 2}}, {}), ErrorCode::kInvalidArgument);
  CHECK_THROWS(runs_of({{8, 3}}, {}), ErrorCode::kInvalidArgument);
  CHECK_THROWS(runs_of({{10, 1}}, {}), ErrorCode::kInvalidArgument);
  CHECK_THROWS(runs_of({{4, 2}, {0, 2}}, {}), ErrorCode::kInvalidArgument);
  CHECK_THROWS(runs_of({{1, INT32_MAX}}, {}), ErrorCode::kInvalidArgument);
}
