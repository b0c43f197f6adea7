#include <algorithm>

#include "check.h"
#include "engine_testing.h"

using namespace engine_testing;

namespace {

void check_answer(const Answer& answer, const EngineRequest& request, int32_t index = 0, int32_t max_length = 64) {
  CHECK(answer.token_ids == fake::expected_tokens(request, index, max_length));
  CHECK_EQ(answer.num_finishes, 1);
  CHECK_EQ(answer.num_events_after_finish, 0);
}

}  // namespace

TEST(answers_like_the_model_alone) {
  Harness harness(small_options());
  const EngineRequest request = text_request(1, tokens(7));
  const Answer answer = harness.run(request);
  check_answer(answer, request);
  CHECK_EQ(answer.token_ids.size(), 8U);
  CHECK(answer.last.finish_reason == FinishReason::kLength);
  CHECK(!answer.last.stop_token_id.has_value());
}

TEST(prompts_longer_than_the_budget_are_computed_in_chunks) {
  EngineOptions options = small_options();
  options.max_num_batched_tokens = 5;
  Harness harness(options);
  const EngineRequest request = text_request(1, tokens(43));
  check_answer(harness.run(request), request);
  CHECK(harness.counters->max_batch_tokens.load() <= 5);
}

TEST(many_requests_answer_as_one_by_one) {
  Harness harness(small_options());
  std::vector<EngineRequest> requests;
  for (uint64_t id = 0; id < 20; ++id) {
    requests.push_back(text_request(id, tokens(static_cast<int32_t>(3 + id % 11), static_cast<int32_t>(id * 3)), 12));
  }
  for (const EngineRequest& request : requests) harness.engine->submit(request);
  for (const EngineRequest& request : requests) check_answer(harness.wait(request.id), request);
  const EngineStats stats = harness.engine->stats();
  CHECK_EQ(stats.num_used_blocks, 0);
  CHECK_EQ(stats.num_running + stats.num_waiting, 0);
  CHECK_EQ(stats.num_generated_tokens, 20 * 12);
}

TEST(seeded_sampling_does_not_depend_on_the_batch) {
  std::vector<EngineRequest> requests;
  for (uint64_t id = 0; id < 8; ++id) {
    EngineRequest request = text_request(id, tokens(9, static_cast<int32_t>(id)), 15);
    request.sampling.temperature = 1.5F;
    request.sampling.seed = 100 + id / 2;
    request.sampling.top_k = id % 2 == 0 ? 0 : 20;
    request.sampling.repetition_penalty = 1.2F;
    requests.push_back(request);
  }
  Harness harness(small_options());
  for (const EngineRequest& request : requests) harness.engine->submit(request);
  for (const EngineRequest& request : requests) check_answer(harness.wait(request.id), request);
}

TEST(stops_at_eos_and_stop_ids_but_not_before_min_tokens) {
  Harness harness(small_options());
  EngineRequest request = text_request(1, tokens(6), 40);
  request.sampling.ignore_eos = true;
  const std::vector<int32_t> free_run = fake::expected_tokens(request, 0, 64);
  request.sampling.stop_token_ids = {free_run[4]};
  Answer answer = harness.run(request);
  const auto length = std::find(free_run.begin(), free_run.end(), free_run[4]) - free_run.begin() + 1;
  CHECK_EQ(std::ssize(answer.token_ids), length);
  CHECK(answer.last.finish_reason == FinishReason::kStop);
  CHECK_EQ(answer.last.stop_token_id, std::optional(free_run[4]));

  request.id = 2;
  request.sampling.min_tokens = 10;
  answer = harness.run(request);
  CHECK(answer.token_ids.size() >= 10);
  CHECK(std::find(answer.token_ids.begin(), answer.token_ids.begin() + 10, free_run[4]) == answer.token_ids.begin() + 10);
  check_answer(answer, request);

  EngineRequest eos = text_request(3, tokens(6), 5);
  eos.sampling.ignore_eos = false;
  eos.sampling.logit_bias = {{fake::kEosId, 100.0F}};
  answer = harness.run(eos);
  CHECK((answer.token_ids == std::vector<int32_t>{fake::kEosId}));
  CHECK(answer.last.finish_reason == FinishReason::kStop);
  eos.id = 4;
  eos.sampling.ignore_eos = true;
  CHECK_EQ(harness.run(eos).token_ids.size(), 5U);
}

TEST(ends_with_the_context_length) {
  Harness harness(small_options());
  const EngineRequest request = text_request(1, tokens(60), 1000);
  const Answer answer = harness.run(request);
  CHECK_EQ(answer.token_ids.size(), 4U);
  CHECK(answer.last.finish_reason == FinishReason::kLength);
  check_answer(answer, request);
}

TEST(reuses_prefixes_and_still_computes_the_last_token) {
  Harness harness(small_options());
  EngineRequest request = text_request(1, tokens(16), 4);
  CHECK_EQ(harness.run(request).last.num_cached_tokens, 0);
  request.id = 2;
  Answer answer = harness.run(request);
  CHECK_EQ(answer.last.num_cached_tokens, 12);
  check_answer(answer, request);

  EngineRequest longer = text_request(3, tokens(16), 4);
  append_text(longer, 9, 3);
  answer = harness.run(longer);
  CHECK_EQ(answer.last.num_cached_tokens, 16);
  check_answer(answer, longer);

  request.id = 4;
  request.cache_salt = "other tenant";
  answer = harness.run(request);
  CHECK_EQ(answer.last.num_cached_tokens, 0);
  check_answer(answer, request);
  const EngineStats stats = harness.engine->stats();
  CHECK_EQ(stats.prefix_hits, 28);
  CHECK_EQ(stats.prefix_queries, 16 + 16 + 25 + 16);
  CHECK_EQ(stats.num_used_blocks, 0);

  harness.engine->reset_caches();
  request.id = 5;
  CHECK_EQ(harness.run(request).last.num_cached_tokens, 0);
}

TEST(answers_are_reused_by_the_next_turn) {
  Harness harness(small_options());
  EngineRequest request = text_request(1, tokens(10), 11);
  const Answer first = harness.run(request);
  EngineRequest next = text_request(2, request.prompt_ids, 5);
  next.prompt_ids.insert(next.prompt_ids.end(), first.token_ids.begin(), first.token_ids.end());
  append_text(next, 5);
  const Answer second = harness.run(next);
  CHECK_EQ(second.last.num_cached_tokens, 20);  // of 10 + 11 tokens the last has no keys
  check_answer(second, next);
}

TEST(without_prefix_caching_nothing_is_reused) {
  EngineOptions options = small_options();
  options.enable_prefix_caching = false;
  Harness harness(options);
  for (uint64_t id = 1; id <= 2; ++id) {
    const EngineRequest request = text_request(id, tokens(20));
    const Answer answer = harness.run(request);
    CHECK_EQ(answer.last.num_cached_tokens, 0);
    check_answer(answer, request);
  }
  CHECK_EQ(harness.engine->stats().prefix_hits, 0);
}

TEST(preempts_and_recomputes_when_blocks_run_out) {
  for (const bool enable_prefix_caching : {true, false}) {
    EngineOptions options = small_options();
    options.num_blocks = 12;  // 48 tokens for four sequences of up to 40
    options.enable_prefix_caching = enable_prefix_caching;
    Harness harness(options);
    std::vector<EngineRequest> requests;
    for (uint64_t id = 0; id < 6; ++id) requests.push_back(text_request(id, tokens(8, static_cast<int32_t>(id)), 32));
    for (const EngineRequest& request : requests) harness.engine->submit(request);
    for (const EngineRequest& request : requests) check_answer(harness.wait(request.id), request, 0, 48);
    const EngineStats stats = harness.engine->stats();
    CHECK(stats.num_preemptions > 0);
    CHECK_EQ(stats.num_used_blocks, 0);
  }
}

TEST(continuations_share_the_prompt) {
  Harness harness(small_options());
  for (const int32_t length : {8, 10}) {  // with and without a partly filled block
    EngineRequest request = text_request(static_cast<uint64_t>(length), tokens(length, length), 12);
    request.sampling.n = 4;
    request.sampling.temperature = 1.0F;
    request.sampling.seed = 77;
    const int before = harness.counters->num_computed_tokens;
    harness.engine->submit(request);
    for (int32_t index = 0; index < 4; ++index) check_answer(harness.wait(request.id, index), request, index);
    CHECK_EQ(harness.counters->num_computed_tokens - before, length + 4 * 11);
    CHECK(harness.wait(request.id, 0).token_ids != harness.wait(request.id, 1).token_ids);
  }
  CHECK_EQ(harness.engine->stats().num_used_blocks, 0);
}

TEST(greedy_continuations_are_identical_and_may_exceed_the_seats) {
  EngineOptions options = small_options();
  options.max_num_seqs = 2;
  Harness harness(options);
  EngineRequest request = text_request(1, tokens(13), 9);
  request.sampling.n = 7;
  harness.engine->submit(request);
  for (int32_t index = 0; index < 7; ++index) check_answer(harness.wait(1, index), request, index);
  CHECK_EQ(harness.engine->stats().num_used_blocks, 0);
}

TEST(continuations_that_end_with_their_first_token_hold_nothing) {
  Harness harness(small_options());
  EngineRequest request = text_request(1, tokens(10), 1);
  request.sampling.n = 5;
  harness.engine->submit(request);
  for (int32_t index = 0; index < 5; ++index) check_answer(harness.wait(1, index), request, index);
  CHECK_EQ(harness.engine->stats().num_used_blocks, 0);
}

TEST(logprobs_come_with_each_token) {
  Harness harness(small_options());
  EngineRequest request = text_request(1, tokens(6), 5);
  request.sampling.num_logprobs = 3;
  const Answer answer = harness.run(request);
  CHECK_EQ(answer.logprobs.size(), 5U);
  for (size_t i = 0; i < answer.logprobs.size(); ++i) {
    CHECK_EQ(answer.logprobs[i].token_id, answer.token_ids[i]);
    CHECK_EQ(answer.logprobs[i].rank, 1);
    CHECK_EQ(answer.logprobs[i].top.size(), 3U);
    CHECK_EQ(answer.logprobs[i].top[0].first, answer.token_ids[i]);
    CHECK(answer.logprobs[i].logprob <= 0.0F);
  }
}
