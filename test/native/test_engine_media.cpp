#include "check.h"
#include "engine_testing.h"

using namespace engine_testing;

namespace {

/// Text, an item, text.
EngineRequest media_request(uint64_t id, const std::string& key, int32_t rows, float content, int32_t max_tokens = 6) {
  EngineRequest request = text_request(id, tokens(5), max_tokens);
  append_media(request, key, rows, content);
  append_text(request, 3);
  return request;
}

void check_answer(const Answer& answer, const EngineRequest& request, int32_t index = 0) {
  CHECK(answer.token_ids == fake::expected_tokens(request, index, 64));
  CHECK(answer.last.finish_reason == FinishReason::kLength);
}

constexpr size_t kRowBytes = fake::kHiddenSize * sizeof(float);

}  // namespace

TEST(encoder_rows_replace_placeholders_across_chunks) {
  for (const int32_t budget : {1, 3, 7, 64}) {
    EngineOptions options = small_options();
    options.max_num_batched_tokens = budget;
    Harness harness(options);
    EngineRequest request = media_request(1, "a", 11, 1.5F);
    append_media(request, "b", 4, 2.5F);
    append_text(request, 2);
    check_answer(harness.run(request), request);
    CHECK_EQ(harness.counters->num_encoded.load(), 2);
  }
}

TEST(equal_keys_are_encoded_once) {
  EngineOptions options = small_options();
  options.enable_prefix_caching = false;
  Harness harness(options);
  const EngineRequest first = media_request(1, "a", 6, 1.5F);
  CHECK_EQ(harness.run(first).last.num_cached_media, 0);
  CHECK(harness.engine->has_encoded("a"));
  CHECK(!harness.engine->has_encoded("b"));

  // Another text before it, and twice in one prompt.
  EngineRequest second = text_request(2, tokens(9, 33), 6);
  append_media(second, "a", 6, 1.5F);
  append_media(second, "a", 6, 1.5F);
  const Answer answer = harness.run(second);
  check_answer(answer, second);
  CHECK_EQ(answer.last.num_cached_media, 2);
  CHECK_EQ(harness.counters->num_encoded.load(), 1);
  const EngineStats stats = harness.engine->stats();
  CHECK_EQ(stats.encoder_queries, 3);
  CHECK_EQ(stats.encoder_hits, 2);
  CHECK_EQ(stats.encoder_cache_bytes, 6 * kRowBytes);
  harness.engine->reset_caches();
  CHECK(!harness.engine->has_encoded("a"));
}

TEST(requests_of_one_step_share_an_encoder_run) {
  EngineOptions options = small_options();
  options.max_num_batched_tokens = 64;
  Harness harness(options);
  std::vector<EngineRequest> requests;
  {
    const std::lock_guard gate(harness.counters->gate);
    harness.engine->submit(text_request(100, tokens(3), 3));  // holds the engine in its forward pass
    for (uint64_t id = 1; id <= 3; ++id) {
      requests.push_back(media_request(id, "a", 6, 1.5F));
      harness.engine->submit(requests.back());
    }
  }
  for (const EngineRequest& request : requests) check_answer(harness.wait(request.id), request);
  CHECK_EQ(harness.counters->num_encoded.load(), 1);
}

TEST(a_prefix_hit_that_covers_an_item_skips_its_encoder) {
  EngineOptions options = small_options();
  options.encoder_cache_bytes = 0;
  Harness harness(options);
  const EngineRequest first = media_request(1, "a", 6, 1.5F);
  harness.run(first);
  EngineRequest next = media_request(2, "a", 6, 1.5F);
  append_text(next, 6);
  const Answer covered = harness.run(next);
  check_answer(covered, next);
  CHECK_EQ(covered.last.num_cached_tokens, 12);  // the item ends at 11
  CHECK_EQ(covered.last.num_cached_media, 1);
  CHECK_EQ(harness.counters->num_encoded.load(), 1);
}

TEST(a_prefix_hit_that_ends_inside_an_item_needs_its_rows) {
  EngineOptions options = small_options();
  options.encoder_cache_bytes = 0;
  Harness harness(options);
  EngineRequest request = text_request(1, tokens(5), 6);
  append_media(request, "a", 10, 1.5F);  // the last token is a placeholder: at most 12 of 15 are cached
  harness.run(request);
  request.id = 2;
  const Answer answer = harness.run(request);
  check_answer(answer, request);
  CHECK_EQ(answer.last.num_cached_tokens, 12);
  CHECK_EQ(answer.last.num_cached_media, 0);
  CHECK_EQ(harness.counters->num_encoded.load(), 2);
}

TEST(prefixes_with_other_media_or_other_places_are_not_reused) {
  Harness harness(small_options());
  const EngineRequest first = media_request(1, "a", 6, 1.5F);
  harness.run(first);
  const EngineRequest other_media = media_request(2, "b", 6, 2.5F);
  Answer answer = harness.run(other_media);
  check_answer(answer, other_media);
  CHECK_EQ(answer.last.num_cached_tokens, 4);

  // The same placeholders, split between the items elsewhere.
  EngineRequest split = text_request(3, tokens(5), 6), moved = text_request(4, tokens(5), 6);
  append_media(split, "a4", 4, 3.5F);
  append_media(split, "b8", 8, 4.5F);
  append_media(moved, "b8", 8, 4.5F);
  append_media(moved, "a4", 4, 3.5F);
  check_answer(harness.run(split), split);
  check_answer(harness.run(moved), moved);
}

TEST(one_key_never_serves_rows_of_another_number) {
  EngineOptions options = small_options();
  options.max_num_batched_tokens = 64;
  Harness harness(options);
  const EngineRequest few = media_request(1, "a", 3, 1.5F), many = media_request(2, "a", 20, 2.5F);
  {
    const std::lock_guard gate(harness.counters->gate);
    harness.engine->submit(few);
    harness.engine->submit(many);
  }
  check_answer(harness.wait(1), few);
  check_answer(harness.wait(2), many);
  EngineRequest both = text_request(3, tokens(4), 6);
  append_media(both, "b", 2, 3.5F);
  append_media(both, "b", 9, 4.5F);
  check_answer(harness.run(both), both);
  CHECK(harness.engine->has_encoded("a") && harness.engine->has_encoded("b") && !harness.engine->has_encoded("3 a"));
}

TEST(interleaved_runs_take_their_rows_in_order) {
  for (const int32_t budget : {2, 5, 64}) {
    EngineOptions options = small_options();
    options.max_num_batched_tokens = budget;
    options.encoder_cache_bytes = kRowBytes;  // both items are needed at once all the same
    Harness harness(options);
    std::vector<EngineRequest> requests;
    for (uint64_t id = 1; id <= 3; ++id) {
      EngineRequest request = text_request(id, tokens(20, static_cast<int32_t>(id)), 6);
      for (int32_t i = 3; i < 17; ++i) request.prompt_ids[static_cast<size_t>(i)] = fake::kPlaceholderId;
      const auto number = static_cast<float>(id);
      request.media = {{"v" + std::to_string(id), fake::make_media(8, number), {{3, 4}, {9, 4}}, true},
                       {"s" + std::to_string(id), fake::make_media(6, number + 0.5F), {{7, 2}, {13, 4}}, false}};
      requests.push_back(request);
    }
    for (const EngineRequest& request : requests) harness.engine->submit(request);
    for (const EngineRequest& request : requests) check_answer(harness.wait(request.id), request);
    CHECK_EQ(harness.engine->stats().encoder_cache_bytes, 0U);
  }
}

TEST(items_above_the_cache_are_served_and_not_kept) {
  EngineOptions options = small_options();
  options.encoder_cache_bytes = 4 * kRowBytes;
  Harness harness(options);
  std::vector<EngineRequest> requests;
  for (uint64_t id = 1; id <= 6; ++id) {
    requests.push_back(media_request(id, "item" + std::to_string(id), 20, static_cast<float>(id)));
    harness.engine->submit(requests.back());
  }
  for (const EngineRequest& request : requests) check_answer(harness.wait(request.id), request);
  const EngineStats stats = harness.engine->stats();
  CHECK(stats.encoder_cache_bytes <= options.encoder_cache_bytes);
  CHECK_EQ(stats.num_used_blocks, 0);
}

TEST(a_failing_encoder_ends_its_request_alone) {
  EngineOptions options = small_options();
  options.max_num_batched_tokens = 64;
  Harness harness(options);
  const EngineRequest good = media_request(1, "good", 6, 1.5F), text = text_request(2, tokens(9), 6);
  EngineRequest bad = media_request(3, "bad", 6, -1.0F);
  bad.sampling.n = 2;
  {
    const std::lock_guard gate(harness.counters->gate);
    harness.engine->submit(text_request(100, tokens(3), 3));
    for (const EngineRequest& request : {good, bad, text}) harness.engine->submit(request);
  }
  check_answer(harness.wait(1), good);
  check_answer(harness.wait(2), text);
  for (const int32_t index : {0, 1}) {
    const Answer answer = harness.wait(3, index);
    CHECK(answer.last.finish_reason == FinishReason::kError);
    CHECK(answer.last.error_code == ErrorCode::kInvalidMedia);
    CHECK_EQ(answer.last.error_message, std::string("the fake encoder refuses this item"));
    CHECK(answer.token_ids.empty());
  }
  CHECK(!harness.engine->has_encoded("bad"));
  harness.wait(100);
  CHECK_EQ(harness.engine->stats().num_used_blocks, 0);
}

TEST(ready_made_embeddings_take_the_encoders_place) {
  Harness harness(small_options());
  const EngineRequest encoded = media_request(1, "a", 6, 1.5F);
  EngineRequest given = media_request(2, "given", 6, 1.5F);
  const auto media = std::make_shared<ProcessedMedia>();
  media->embeddings = fake::encoder_rows(*encoded.media[0].media);
  given.media[0].media = media;
  CHECK(harness.run(given).token_ids == fake::expected_tokens(encoded, 0, 64));
  CHECK_EQ(harness.counters->num_encoded.load(), 0);
  CHECK(harness.engine->has_encoded("given"));
}

TEST(media_that_does_not_fit_its_placeholders_is_refused) {
  Harness harness(small_options());
  const auto refuses = [&](ErrorCode code, const std::function<void(EngineRequest&)>& spoil) {
    EngineRequest request = media_request(1, "a", 6, 1.5F);
    spoil(request);
    CHECK_THROWS(harness.engine->submit(request), code);
  };
  refuses(ErrorCode::kInvalidArgument, [](EngineRequest& r) { r.media[0].runs[0].count = 5; });
  refuses(ErrorCode::kInvalidArgument, [](EngineRequest& r) { r.media[0].runs.clear(); });
  refuses(ErrorCode::kInvalidArgument, [](EngineRequest& r) { r.media[0].runs[0].offset = 12; });
  refuses(ErrorCode::kInvalidArgument, [](EngineRequest& r) { r.media[0].media = nullptr; });
  refuses(ErrorCode::kInvalidArgument, [](EngineRequest& r) { r.media[0].key.clear(); });
  refuses(ErrorCode::kInvalidMedia, [](EngineRequest& r) {
    const auto media = std::make_shared<ProcessedMedia>();
    media->embeddings = Tensor({6, fake::kHiddenSize + 1});
    r.media[0].media = media;
  });
  CHECK_EQ(harness.engine->stats().num_waiting, 0);
}
