#include <atomic>
#include <chrono>
#include <cstdint>
#include <numeric>
#include <thread>
#include <vector>

#include "check.h"
#include "core/error.h"
#include "core/thread_pool.h"

using namespace sensorium;

TEST(run_calls_every_index_once) {
  for (const int num_threads : {1, 2, 3, 8}) {
    ThreadPool pool(num_threads);
    CHECK_EQ(pool.num_threads(), num_threads);
    std::vector<int> calls(static_cast<size_t>(num_threads));
    for (int i = 0; i < 1000; ++i) pool.run([&](int index) { ++calls[static_cast<size_t>(index)]; });
    for (const int count : calls) CHECK_EQ(count, 1000);
  }
}

TEST(the_caller_is_index_zero) {
  ThreadPool pool(3);
  std::thread::id zero;
  pool.run([&](int index) {
    if (index == 0) zero = std::this_thread::get_id();
  });
  CHECK(zero == std::this_thread::get_id());
}

TEST(parallel_for_covers_each_item_once) {
  ThreadPool pool(4);
  for (const int64_t num_items : {0, 1, 2, 7, 64, 1000}) {
    for (const int64_t grain : {0, 1, 3, 64, 5000}) {
      std::vector<std::atomic<int>> visits(static_cast<size_t>(num_items));
      pool.parallel_for(num_items, grain, [&](int64_t begin, int64_t end) {
        CHECK(begin < end);
        for (int64_t i = begin; i < end; ++i) ++visits[static_cast<size_t>(i)];
      });
      for (const auto& count : visits) CHECK_EQ(count.load(), 1);
    }
  }
}

TEST(small_loops_stay_on_the_caller) {
  ThreadPool pool(4);
  int num_calls = 0;
  pool.parallel_for(10, 10, [&](int64_t begin, int64_t end) {
    ++num_calls;
    CHECK_EQ(end - begin, 10);
  });
  CHECK_EQ(num_calls, 1);
}

TEST(results_of_workers_are_visible_after_run) {
  ThreadPool pool(4);
  std::vector<int64_t> values(10000);
  for (int64_t round = 1; round <= 300; ++round) {
    pool.parallel_for(static_cast<int64_t>(values.size()), 100, [&](int64_t begin, int64_t end) {
      for (int64_t i = begin; i < end; ++i) values[static_cast<size_t>(i)] += round;
    });
    CHECK_EQ(std::accumulate(values.begin(), values.end(), int64_t{0}), 10000 * round * (round + 1) / 2);
  }
}

TEST(parked_workers_wake_again) {
  ThreadPool pool(3);
  std::atomic<int> num_calls{0};
  for (int i = 0; i < 20; ++i) {
    std::this_thread::sleep_for(std::chrono::milliseconds(2));  // longer than workers spin
    pool.run([&](int) { ++num_calls; });
  }
  CHECK_EQ(num_calls.load(), 60);
}

TEST(the_caller_parks_while_workers_are_slow) {
  ThreadPool pool(2);
  std::atomic<bool> is_done{false};
  pool.run([&](int index) {
    if (index == 0) return;
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
    is_done = true;
  });
  CHECK(is_done.load());
}

TEST(pools_may_be_used_from_changing_threads) {
  ThreadPool pool(2);
  std::atomic<int> num_calls{0};
  for (int i = 0; i < 10; ++i) std::thread([&] { pool.run([&](int) { ++num_calls; }); }).join();
  CHECK_EQ(num_calls.load(), 20);
}

TEST(pools_start_and_stop) {
  for (int i = 0; i < 50; ++i) {
    ThreadPool pool(i % 5 + 1);
    if (i % 2 == 0) pool.run([](int) {});
  }
  CHECK(ThreadPool(0).num_threads() >= 1);
  CHECK_THROWS(ThreadPool(-1), ErrorCode::kInvalidArgument);
  CHECK_THROWS(ThreadPool(1 << 20), ErrorCode::kInvalidArgument);
}
