#include <thread>

#include "check.h"
#include "engine_testing.h"

using namespace engine_testing;

namespace {

/// Long enough not to end by itself before the test acts.
EngineRequest long_request(uint64_t id) { return text_request(id, tokens(6, static_cast<int32_t>(id)), 100000); }

EngineOptions long_options() {
  EngineOptions options = small_options();
  options.max_model_len = 1 << 20;
  options.num_blocks = 1 << 18;
  return options;
}

void check_freed(Harness& harness) {
  const EngineStats stats = harness.engine->stats();
  CHECK_EQ(stats.num_used_blocks, 0);
  CHECK_EQ(stats.num_running + stats.num_waiting, 0);
}

}  // namespace

TEST(abort_ends_a_running_request_and_frees_its_blocks) {
  Harness harness(long_options());
  EngineRequest request = long_request(1);
  request.sampling.n = 3;
  harness.engine->submit(request);
  harness.wait_for_tokens(1, 3);
  CHECK(harness.engine->stats().num_used_blocks > 0);
  harness.engine->abort(1);
  for (int32_t index = 0; index < 3; ++index) {
    CHECK(harness.wait(1, index).last.finish_reason == FinishReason::kAborted);
  }
  check_freed(harness);
  harness.engine->abort(1);
  harness.engine->abort(999);
  const EngineRequest next = text_request(1, tokens(5));  // the id is free again
  harness.engine->submit(next);
}

TEST(abort_removes_a_waiting_request) {
  EngineOptions options = long_options();
  options.max_num_seqs = 1;
  Harness harness(options);
  harness.engine->submit(long_request(1));
  harness.wait_for_tokens(1, 1);
  EngineRequest waiting = long_request(2);
  waiting.sampling.n = 2;
  harness.engine->submit(waiting);
  CHECK_EQ(harness.engine->stats().num_waiting, 1);
  harness.engine->abort(2);
  for (const int32_t index : {0, 1}) {
    const Answer answer = harness.wait(2, index);
    CHECK(answer.last.finish_reason == FinishReason::kAborted);
    CHECK(answer.token_ids.empty());
    CHECK_EQ(answer.num_finishes, 1);
  }
  CHECK_EQ(harness.engine->stats().num_waiting, 0);
  harness.engine->abort(1);
  harness.wait(1);
  check_freed(harness);
}

TEST(abort_changes_nobody_elses_answer) {
  Harness harness(small_options());
  std::vector<EngineRequest> kept;
  for (uint64_t id = 0; id < 12; ++id) {
    const EngineRequest request = text_request(id, tokens(9, static_cast<int32_t>(id)), 20);
    harness.engine->submit(request);
    if (id % 3 == 0) {
      harness.wait_for_tokens(id, 2);
      harness.engine->abort(id);
    } else {
      kept.push_back(request);
    }
  }
  for (const EngineRequest& request : kept) {
    CHECK(harness.wait(request.id).token_ids == fake::expected_tokens(request, 0, 64));
  }
  for (uint64_t id = 0; id < 12; ++id) CHECK_EQ(harness.wait(id).num_finishes, 1);
  check_freed(harness);
}

TEST(one_continuation_can_be_ended) {
  Harness harness(small_options());
  EngineRequest request = text_request(1, tokens(6), 30);
  request.sampling.n = 3;
  request.sampling.temperature = 1.0F;
  request.sampling.seed = 3;
  {
    const std::lock_guard gate(harness.counters->gate);
    harness.engine->submit(request);
    while (harness.counters->num_arrived == 0) std::this_thread::yield();
    harness.engine->abort_sequence(1, 1);  // the prompt is being computed: it will be forked first
  }
  const Answer ended = harness.wait(1, 1);
  CHECK(ended.last.finish_reason == FinishReason::kAborted);
  CHECK_EQ(ended.token_ids.size(), 1U);
  for (const int32_t index : {0, 2}) {
    CHECK(harness.wait(1, index).token_ids == fake::expected_tokens(request, index, 64));
  }
  check_freed(harness);
}

TEST(continuations_ended_before_their_prompt_leave_the_others_as_they_are) {
  EngineOptions options = small_options();
  options.max_num_seqs = 1;
  Harness harness(options);
  EngineRequest request = text_request(2, tokens(9), 7);
  request.sampling.n = 4;
  request.sampling.temperature = 1.0F;
  request.sampling.seed = 3;
  {
    const std::lock_guard gate(harness.counters->gate);
    harness.engine->submit(text_request(1, tokens(5), 3));
    harness.engine->submit(request);
    harness.engine->abort_sequence(2, 0);  // the one that would compute the prompt
    harness.engine->abort_sequence(2, 2);
  }
  for (const int32_t index : {0, 2}) {
    const Answer answer = harness.wait(2, index);
    CHECK(answer.last.finish_reason == FinishReason::kAborted);
    CHECK_EQ(answer.num_finishes, 1);
  }
  for (const int32_t index : {1, 3}) {
    CHECK(harness.wait(2, index).token_ids == fake::expected_tokens(request, index, 64));
  }
  check_freed(harness);
}

TEST(destroying_the_engine_aborts_everything) {
  Harness harness(long_options());
  for (uint64_t id = 1; id <= 7; ++id) harness.engine->submit(long_request(id));
  harness.wait_for_tokens(1, 1);
  harness.engine.reset();
  const auto answers = harness.answers();
  for (uint64_t id = 1; id <= 7; ++id) {
    const Answer& answer = answers.at({id, 0});
    CHECK(answer.last.finish_reason == FinishReason::kAborted);
    CHECK_EQ(answer.num_finishes, 1);
  }
}

TEST(a_failing_forward_pass_ends_the_request_at_fault_and_the_engine_lives_on) {
  EngineOptions options = small_options();
  options.max_num_batched_tokens = 64;
  Harness harness(options);
  EngineRequest bad = text_request(2, tokens(14), 5);
  bad.sampling.n = 2;
  bad.prompt_ids[9] = fake::kThrowingId;
  const EngineRequest good = text_request(3, tokens(14, 33), 5);
  {
    const std::lock_guard gate(harness.counters->gate);
    harness.engine->submit(text_request(1, tokens(5, 60), 3));
    harness.engine->submit(bad);
    harness.engine->submit(good);  // in one batch with it
  }
  for (const int32_t index : {0, 1}) {
    const Answer answer = harness.wait(2, index);
    CHECK(answer.last.finish_reason == FinishReason::kError);
    CHECK_EQ(answer.last.error_message, std::string("the fake model fails on this token"));
  }
  CHECK(harness.wait(3).token_ids == fake::expected_tokens(good, 0, 64));
  harness.wait(1);
  check_freed(harness);
  // Blocks that were being filled are not in the prefix cache.
  const EngineRequest next = text_request(4, tokens(14), 5);
  const Answer answer = harness.run(next);
  CHECK_EQ(answer.last.num_cached_tokens, 0);
  CHECK(answer.token_ids == fake::expected_tokens(next, 0, 64));
}

TEST(what_is_aborted_while_an_encoder_runs_is_not_encoded) {
  EngineOptions options = small_options();
  options.max_num_batched_tokens = 64;
  Harness harness(options);
  EngineRequest request = text_request(1, tokens(5), 5);
  for (const char* key : {"a", "b", "c"}) append_media(request, key, 4, 2.0F);
  {
    const std::lock_guard gate(harness.counters->encoder_gate);
    harness.engine->submit(request);
    while (harness.counters->num_encoded == 0) std::this_thread::yield();
    harness.engine->abort(1);
  }
  const Answer answer = harness.wait(1);
  CHECK(answer.last.finish_reason == FinishReason::kAborted);
  CHECK(answer.token_ids.empty());
  CHECK_EQ(harness.counters->num_encoded.load(), 1);
  CHECK_EQ(harness.counters->num_forwards.load(), 0);
  check_freed(harness);
}

TEST(logits_that_are_not_finite_end_one_request) {
  EngineOptions options = small_options();
  options.max_num_batched_tokens = 64;
  Harness harness(options);
  EngineRequest bad = text_request(2, tokens(6), 5);
  bad.prompt_ids.back() = fake::kNanId;
  bad.sampling.n = 2;
  const EngineRequest good = text_request(3, tokens(8), 5);
  {
    const std::lock_guard gate(harness.counters->gate);
    harness.engine->submit(text_request(1, tokens(5), 3));
    harness.engine->submit(bad);
    harness.engine->submit(good);
  }
  for (const int32_t index : {0, 1}) CHECK(harness.wait(2, index).last.finish_reason == FinishReason::kError);
  CHECK(harness.wait(3).token_ids == fake::expected_tokens(good, 0, 64));
  harness.wait(1);
  check_freed(harness);
}

TEST(requests_that_cannot_be_served_are_refused) {
  Harness harness(small_options());
  const auto refuses = [&](const std::function<void(EngineRequest&)>& spoil) {
    EngineRequest request = text_request(1, tokens(6));
    spoil(request);
    CHECK_THROWS(harness.engine->submit(request), ErrorCode::kInvalidArgument);
  };
  refuses([](EngineRequest& r) { r.prompt_ids.clear(); });
  refuses([](EngineRequest& r) { r.prompt_ids = tokens(64); });
  refuses([](EngineRequest& r) { r.prompt_ids[2] = fake::kVocabSize; });
  refuses([](EngineRequest& r) { r.prompt_ids[2] = -1; });
  refuses([](EngineRequest& r) { r.sampling.temperature = -0.1F; });
  refuses([](EngineRequest& r) { r.sampling.temperature = std::numeric_limits<float>::quiet_NaN(); });
  refuses([](EngineRequest& r) { r.sampling.top_p = 0; });
  refuses([](EngineRequest& r) { r.sampling.top_p = 1.1F; });
  refuses([](EngineRequest& r) { r.sampling.top_k = -1; });
  refuses([](EngineRequest& r) { r.sampling.min_p = 2; });
  refuses([](EngineRequest& r) { r.sampling.repetition_penalty = 0; });
  refuses([](EngineRequest& r) { r.sampling.presence_penalty = std::numeric_limits<float>::infinity(); });
  refuses([](EngineRequest& r) { r.sampling.frequency_penalty = std::numeric_limits<float>::quiet_NaN(); });
  refuses([](EngineRequest& r) { r.sampling.logit_bias = {{fake::kVocabSize, 1.0F}}; });
  refuses([](EngineRequest& r) { r.sampling.logit_bias = {{1, std::numeric_limits<float>::infinity()}}; });
  refuses([](EngineRequest& r) { r.sampling.max_tokens = 0; });
  refuses([](EngineRequest& r) { r.sampling.min_tokens = 9; });
  refuses([](EngineRequest& r) { r.sampling.n = 0; });
  refuses([](EngineRequest& r) { r.sampling.n = 1000; });
  refuses([](EngineRequest& r) { r.sampling.num_logprobs = -1; });
  CHECK_EQ(harness.engine->stats().num_waiting, 0);

  EngineOptions tiny = small_options();
  tiny.num_blocks = 3;
  Harness small(tiny);
  CHECK_THROWS(small.engine->submit(text_request(1, tokens(12))), ErrorCode::kInvalidArgument);
  CHECK_EQ(small.run(text_request(2, tokens(11))).token_ids.size(), 1U);
}

TEST(the_queue_is_bounded_and_ids_are_unique) {
  EngineOptions options = long_options();
  options.max_num_seqs = 1;
  options.max_queued = 2;
  Harness harness(options);
  harness.engine->submit(long_request(1));
  harness.wait_for_tokens(1, 1);
  harness.engine->submit(long_request(2));
  CHECK_THROWS(harness.engine->submit(long_request(2)), ErrorCode::kInvalidArgument);
  CHECK_THROWS(harness.engine->submit(long_request(1)), ErrorCode::kInvalidArgument);
  harness.engine->submit(long_request(3));
  CHECK_THROWS(harness.engine->submit(long_request(4)), ErrorCode::kOutOfMemory);
  harness.engine->abort(2);
  harness.wait(2);
  harness.engine->submit(long_request(4));
}

TEST(bad_options_are_refused) {
  const auto refuses = [](const std::function<void(EngineOptions&)>& spoil) {
    EngineOptions options = small_options();
    spoil(options);
    CHECK_THROWS(Harness(options), ErrorCode::kInvalidArgument);
  };
  refuses([](EngineOptions& o) { o.max_num_seqs = 0; });
  refuses([](EngineOptions& o) { o.max_num_batched_tokens = 0; });
  refuses([](EngineOptions& o) { o.max_model_len = 1; });
  refuses([](EngineOptions& o) { o.block_size = 0; });
  refuses([](EngineOptions& o) { o.num_blocks = 0; });
  refuses([](EngineOptions& o) { o.num_blocks = INT64_MAX; });
  refuses([](EngineOptions& o) { o.max_queued = 0; });
}

TEST(timings_cover_the_stages) {
  Harness harness(small_options());
  EngineRequest request = text_request(1, tokens(6), 4);
  append_media(request, "a", 5, 1.5F);
  const RequestTimings timings = harness.run(request).last.timings;
  CHECK(timings.queued_ms >= 0);
  CHECK(timings.encode_ms > 0);
  CHECK(timings.prefill_ms > 0);
  CHECK(timings.decode_ms > 0);
}
