// Rules of what an answer may consist of: suppressed tokens and the order of timestamps.

#include <cmath>
#include <limits>

#include "check.h"
#include "core/error.h"
#include "engine/sampler.h"

using namespace sensorium;  // NOLINT(google-build-using-namespace)

namespace {

// A vocabulary of text 0..9, end 10, another control token 11, "no timestamps" 12, timestamps 13..22.
constexpr int32_t kEos = 10, kNoTimestamps = 12, kFirst = 13;
constexpr size_t kVocab = 23;

DecodingRules timestamp_rules() { return {{}, {}, TimestampRules{kNoTimestamps, kEos, 3}}; }

/// Ids that the rules leave after `output_ids`, of tokens that are all equally likely but for `favourite`.
std::vector<int32_t> allowed(const DecodingRules& rules, const std::vector<int32_t>& output_ids,
                             std::optional<int32_t> favourite = std::nullopt) {
  std::vector<float> logits(kVocab, 0.0F);
  if (favourite) logits[static_cast<size_t>(*favourite)] = 20.0F;
  apply_rules(rules, output_ids, logits);
  std::vector<int32_t> ids;
  for (size_t i = 0; i < kVocab; ++i) {
    if (std::isfinite(logits[i])) ids.push_back(static_cast<int32_t>(i));
  }
  return ids;
}

std::vector<int32_t> range(int32_t begin, int32_t end) {
  std::vector<int32_t> ids;
  for (int32_t id = begin; id < end; ++id) ids.push_back(id);
  return ids;
}

}  // namespace

TEST(suppressed_tokens_are_never_left_and_some_not_at_the_beginning) {
  const DecodingRules rules{{3, kEos, 99}, {0, 1, -5}, {}};
  const std::vector<int32_t> first = allowed(rules, {}), later = allowed(rules, {5});
  CHECK_EQ(first.size(), kVocab - 4);
  CHECK(std::find(first.begin(), first.end(), 3) == first.end());
  CHECK_EQ(later, range(2, static_cast<int32_t>(kVocab)));
  CHECK(!rules.empty());
  CHECK(DecodingRules{}.empty());
}

TEST(an_answer_begins_with_an_early_timestamp) {
  CHECK_EQ(allowed(timestamp_rules(), {}), range(kFirst, kFirst + 4));
  DecodingRules any = timestamp_rules();
  any.timestamps->max_initial_index.reset();
  CHECK_EQ(allowed(any, {}), range(kFirst, static_cast<int32_t>(kVocab)));
}

TEST(text_follows_the_first_timestamp_and_a_pair) {
  CHECK_EQ(allowed(timestamp_rules(), {kFirst}), range(0, kNoTimestamps));
  CHECK_EQ(allowed(timestamp_rules(), {kFirst, 1, kFirst + 2, kFirst + 2}), range(0, kNoTimestamps));
}

TEST(a_timestamp_after_text_is_paired_or_last) {
  std::vector<int32_t> expected = range(kFirst + 2, static_cast<int32_t>(kVocab));
  // The same time may come again; all together are likelier than the end, so the end is not left.
  CHECK_EQ(allowed(timestamp_rules(), {kFirst, 1, kFirst + 2}), expected);
  const std::vector<int32_t> with_end = allowed(timestamp_rules(), {kFirst, 1, kFirst + 2}, kEos);
  expected.insert(expected.begin(), {kEos, kNoTimestamps - 1});
  CHECK_EQ(with_end, expected);
}

TEST(time_does_not_run_backwards) {
  const std::vector<int32_t> ids = allowed(timestamp_rules(), {kFirst, 1, kFirst + 4, kFirst + 5, 2}, 7);
  for (const int32_t id : ids) CHECK(id < kNoTimestamps || id > kFirst + 5);
  CHECK(std::find(ids.begin(), ids.end(), kFirst + 6) != ids.end());
}

TEST(timestamps_win_when_they_are_likelier_together) {
  // Nine timestamps against text of the same logit each.
  CHECK_EQ(allowed(timestamp_rules(), {kFirst, 1}), range(kFirst + 1, static_cast<int32_t>(kVocab)));
  const std::vector<int32_t> ids = allowed(timestamp_rules(), {kFirst, 1}, 4);
  CHECK(std::find(ids.begin(), ids.end(), 4) != ids.end());
}

TEST(a_sampler_chooses_among_what_rules_and_lists_leave) {
  std::vector<float> logits(kVocab, 0.0F);
  logits[5] = 3.0F;
  logits[7] = 2.0F;
  SamplingParams params;
  params.temperature = 0;
  params.num_logprobs = 1;
  params.rules.suppressed_ids = {5};
  const TokenHistory history;
  Sampler sampler;
  SampledToken sampled = sampler.sample(logits, {params, history});
  CHECK_EQ(sampled.token_id, 7);
  // The probability is that among the tokens that the rules leave.
  CHECK_NEAR(sampled.logprob->logprob, 2.0 - std::log(std::exp(2.0) + static_cast<double>(kVocab - 2)), 1e-5);
  params.allowed_ids = {1, 2};
  sampled = sampler.sample(logits, {params, history});
  CHECK_EQ(sampled.token_id, 1);
  CHECK_NEAR(sampled.logprob->logprob, -std::log(std::exp(2.0) + static_cast<double>(kVocab - 2)), 1e-5);
  params.allowed_ids = {5};
  CHECK_THROWS(sampler.sample(logits, {params, history}), ErrorCode::kInvalidArgument);
}
