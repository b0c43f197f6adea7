#include "check.h"
#include "core/error.h"
#include "engine/encoder_cache.h"

using namespace sensorium;

namespace {

constexpr size_t kRowBytes = 4 * sizeof(float);

void put(EncoderCache& cache, const std::string& key, int64_t rows) {
  cache.reserve(key, static_cast<size_t>(rows) * kRowBytes);
  cache.fill(key, Tensor({rows, 4}));
}

}  // namespace

TEST(keeps_released_rows_until_the_room_is_needed) {
  EncoderCache cache(4 * kRowBytes);
  for (const char* key : {"a", "b"}) {
    put(cache, key, 2);
    cache.release(key);
  }
  CHECK(cache.contains("a") && cache.contains("b"));
  CHECK(cache.acquire("a"));  // a is the younger one now
  cache.release("a");
  put(cache, "c", 2);
  CHECK(!cache.contains("b"));
  CHECK(cache.contains("a"));
  CHECK_EQ(cache.num_evictions(), 1);
  CHECK_EQ(cache.size_bytes(), 4 * kRowBytes);
}

TEST(never_evicts_rows_in_use) {
  EncoderCache cache(2 * kRowBytes);
  put(cache, "a", 2);
  CHECK(!cache.has_room(kRowBytes));
  put(cache, "b", 2);  // forced above the capacity
  CHECK_EQ(cache.rows("a").shape()[0], 2);
  cache.clear();
  CHECK(cache.contains("a") && cache.contains("b"));
  cache.release("a");
  CHECK(!cache.contains("a"));
  cache.release("b");
  CHECK(cache.contains("b"));
}

TEST(serves_an_item_above_the_capacity_only_while_it_is_used) {
  EncoderCache cache(kRowBytes);
  CHECK(cache.has_room(100 * kRowBytes));
  put(cache, "large", 100);
  CHECK(cache.contains("large"));
  cache.release("large");
  CHECK(!cache.contains("large"));
  CHECK_EQ(cache.size_bytes(), 0U);
}

TEST(shares_a_reserved_entry_and_drops_it_with_its_last_user) {
  EncoderCache cache(8 * kRowBytes);
  cache.reserve("a", kRowBytes);
  CHECK(cache.acquire("a"));
  CHECK(!cache.contains("a") && cache.is_reserved("a"));
  CHECK_THROWS(cache.rows("a"), ErrorCode::kInternal);
  CHECK_THROWS(cache.reserve("a", kRowBytes), ErrorCode::kInternal);
  cache.release("a");
  CHECK(cache.is_reserved("a"));
  cache.release("a");
  CHECK(!cache.is_reserved("a"));
  CHECK(!cache.acquire("a"));
  CHECK_THROWS(cache.release("a"), ErrorCode::kInternal);
  CHECK_EQ(cache.size_bytes(), 0U);
}

TEST(without_capacity_nothing_outlives_its_use) {
  EncoderCache cache(0);
  CHECK(cache.has_room(kRowBytes));
  put(cache, "a", 1);
  CHECK(!cache.has_room(kRowBytes));
  cache.release("a");
  CHECK(!cache.contains("a"));
}
