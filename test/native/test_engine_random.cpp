#include <algorithm>
#include <atomic>
#include <random>
#include <set>
#include <thread>

#include "check.h"
#include "engine_testing.h"

using namespace engine_testing;

namespace {

enum class Fate { kAnswered, kAborted, kFailing };

struct Planned {
  EngineRequest request;
  Fate fate = Fate::kAnswered;
};

/// A request of random size and settings from a small pool of texts and media, so that prefixes and items repeat.
Planned random_request(uint64_t id, std::mt19937& random, int32_t max_length) {
  const auto draw = [&](int32_t low, int32_t high) { return std::uniform_int_distribution<int32_t>(low, high)(random); };
  Planned planned;
  EngineRequest& request = planned.request;
  request = text_request(id, tokens(draw(1, 14), draw(0, 2)), draw(1, 24));
  for (int32_t parts = draw(0, 3); parts > 0; --parts) {
    const int32_t item = draw(1, 5);
    if (draw(0, 1) == 0) {
      append_text(request, draw(1, 6), draw(0, 2));
    } else {
      append_media(request, "item" + std::to_string(item), item % 2 == 0 ? 4 : 7, static_cast<float>(item));
    }
  }
  if (draw(0, 9) == 0) {
    append_media(request, "failing", 3, -1.0F);
    planned.fate = Fate::kFailing;
  } else if (draw(0, 4) == 0) {
    planned.fate = Fate::kAborted;
  }
  if (static_cast<int32_t>(request.prompt_ids.size()) >= max_length) return random_request(id, random, max_length);
  SamplingParams& sampling = request.sampling;
  sampling.n = draw(0, 3) == 0 ? draw(2, 5) : 1;
  sampling.ignore_eos = draw(0, 1) == 0;
  sampling.min_tokens = draw(0, std::min(3, sampling.max_tokens));
  sampling.seed = static_cast<uint64_t>(draw(0, 1000));
  if (draw(0, 1) == 0) sampling.temperature = 1.0F;
  if (draw(0, 2) == 0) sampling.frequency_penalty = 0.5F;
  request.cache_salt = draw(0, 5) == 0 ? "tenant" : "";
  return planned;
}

void check_continuation(const Answer& answer, const Planned& planned, int32_t index, int32_t max_length) {
  CHECK_EQ(answer.num_finishes, 1);
  CHECK_EQ(answer.num_events_after_finish, 0);
  const FinishReason reason = *answer.last.finish_reason;
  if (planned.fate == Fate::kFailing) {
    CHECK(reason == FinishReason::kError && answer.token_ids.empty());
    return;
  }
  const std::vector<int32_t> expected = fake::expected_tokens(planned.request, index, max_length);
  if (reason == FinishReason::kAborted) {
    CHECK(planned.fate == Fate::kAborted);
    CHECK(answer.token_ids.size() <= expected.size());
    CHECK(std::equal(answer.token_ids.begin(), answer.token_ids.end(), expected.begin()));
  } else {
    CHECK(reason == FinishReason::kStop || reason == FinishReason::kLength);
    CHECK(answer.token_ids == expected);
  }
}

/// Submits, aborts, asks and resets from several threads; returns the number of preemptions.
int64_t run_storm(uint32_t seed, const EngineOptions& options, int num_requests) {
  const auto max_length =
      static_cast<int32_t>(std::min<int64_t>(options.max_model_len, options.num_blocks * options.block_size));
  std::mt19937 random(seed);
  std::vector<Planned> plan;
  for (int i = 0; i < num_requests; ++i) plan.push_back(random_request(static_cast<uint64_t>(i), random, max_length));

  Harness harness(options);
  std::atomic<bool> is_done = false;
  std::thread observer([&] {
    for (int i = 0; !is_done; ++i) {
      const EngineStats stats = harness.engine->stats();
      CHECK(stats.num_used_blocks >= 0 && stats.num_used_blocks <= stats.num_blocks);
      CHECK(stats.num_running <= options.max_num_seqs);
      harness.engine->has_encoded("item1");
      if (i % 64 == 0) harness.engine->reset_caches();
      std::this_thread::yield();
    }
  });
  for (const Planned& planned : plan) {
    harness.engine->submit(planned.request);
    if (random() % 3 == 0) harness.wait_for_tokens(planned.request.id, random() % 4);
    if (planned.fate == Fate::kAborted) harness.engine->abort(planned.request.id);
  }
  for (const Planned& planned : plan) {
    for (int32_t index = 0; index < planned.request.sampling.n; ++index) {
      check_continuation(harness.wait(planned.request.id, index), planned, index, max_length);
    }
  }
  is_done = true;
  observer.join();
  const EngineStats stats = harness.engine->stats();
  CHECK_EQ(stats.num_used_blocks, 0);
  CHECK_EQ(stats.num_running + stats.num_waiting, 0);
  CHECK(stats.encoder_cache_bytes <= options.encoder_cache_bytes);
  CHECK(harness.counters->max_batch_tokens <= options.max_num_batched_tokens);
  return stats.num_preemptions;
}

}  // namespace

TEST(random_requests_over_a_tiny_cache_answer_as_alone) {
  int64_t num_preemptions = 0;
  for (uint32_t seed = 1; seed <= 24; ++seed) {
    EngineOptions options = small_options();
    options.num_blocks = 12 + seed % 5;
    options.block_size = seed % 3 == 0 ? 1 + static_cast<int32_t>(seed % 7) : 4;
    if (options.num_blocks * options.block_size < 48) options.num_blocks = 48;
    options.max_num_seqs = 1 + static_cast<int32_t>(seed % 6);
    options.max_num_batched_tokens = 3 + static_cast<int32_t>(seed * 5 % 30);
    options.encoder_cache_bytes = seed % 4 * 10 * sizeof(float);
    options.enable_prefix_caching = seed % 2 == 0;
    num_preemptions += run_storm(seed, options, 40);
  }
  CHECK(num_preemptions > 0);
}

TEST(prefix_caching_changes_no_answer) {
  for (uint32_t seed = 100; seed < 106; ++seed) {
    EngineOptions options = small_options();
    options.num_blocks = 14;
    for (const bool enable_prefix_caching : {true, false}) {
      options.enable_prefix_caching = enable_prefix_caching;
      run_storm(seed, options, 30);
    }
  }
}

TEST(requests_may_come_from_many_threads) {
  Harness harness(small_options());
  std::vector<std::thread> clients;
  for (uint64_t client = 0; client < 4; ++client) {
    clients.emplace_back([&harness, client] {
      for (uint64_t i = 0; i < 10; ++i) {
        const EngineRequest request =
            text_request(client * 100 + i, tokens(5 + static_cast<int32_t>(i), static_cast<int32_t>(client)));
        CHECK(harness.run(request).token_ids == fake::expected_tokens(request, 0, 64));
      }
    });
  }
  for (std::thread& client : clients) client.join();
  CHECK_EQ(harness.engine->stats().num_used_blocks, 0);
}
