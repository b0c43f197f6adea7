#include <algorithm>
#include <cmath>
#include <limits>
#include <random>

#include "check.h"
#include "engine/random.h"
#include "engine/sampler.h"
#include "golden_tensors.h"

using namespace sensorium;

namespace {

SamplingParams greedy() {
  SamplingParams params;
  params.temperature = 0;
  return params;
}

std::vector<float> random_logits(size_t count, uint32_t seed, float scale = 3.0F) {
  std::mt19937 random(seed);
  std::normal_distribution<float> normal(0.0F, scale);
  std::vector<float> logits(count);
  for (float& logit : logits) logit = normal(random);
  return logits;
}

SampledToken sample(const std::vector<float>& logits, const SamplingParams& params, uint64_t seed = 1, int64_t step = 0,
                    std::span<const int32_t> banned = {}) {
  const TokenHistory history;
  return Sampler().sample(logits, {params, history, banned, seed, 0, step});
}

SamplingParams golden_params(const Json& json) {
  SamplingParams params;
  params.temperature = static_cast<float>(json.get_double("temperature", 1));
  params.top_k = static_cast<int32_t>(json.get_int("top_k", 0));
  params.top_p = static_cast<float>(json.get_double("top_p", 1));
  params.min_p = static_cast<float>(json.get_double("min_p", 0));
  params.repetition_penalty = static_cast<float>(json.get_double("repetition_penalty", 1));
  params.presence_penalty = static_cast<float>(json.get_double("presence_penalty", 0));
  params.frequency_penalty = static_cast<float>(json.get_double("frequency_penalty", 0));
  if (const Json* bias = json.find("logit_bias")) {
    for (const auto& [id, value] : bias->as_object()) {
      params.logit_bias.emplace_back(std::stoi(id), static_cast<float>(value.as_double()));
    }
  }
  return params;
}

TokenHistory golden_history(const Json& json) {
  TokenHistory history;
  if (const Json* prompt = json.find("prompt")) {
    for (const Json& id : prompt->as_array()) history.add_prompt(std::vector<int32_t>{static_cast<int32_t>(id.as_int())});
  }
  if (const Json* generated = json.find("generated")) {
    for (const Json& id : generated->as_array()) history.add_generated(static_cast<int32_t>(id.as_int()));
  }
  return history;
}

}  // namespace

TEST(distributions_agree_with_the_goldens) {
  const auto folder = golden::root() / "components" / "sampling";
  const Json cases = Json::parse_file((folder / "cases.json").string());
  const golden::Tensors tensors(folder / "data.safetensors");
  const double tolerance = cases.get_double("tolerance", 0);
  size_t num_cases = 0;
  Sampler sampler;
  for (const Json& test : cases.find("cases")->as_array()) {
    const std::string id = std::to_string(test.get_int("id", -1));
    const Json& params = *test.find("params");
    const SamplingParams sampling = golden_params(params);
    const auto logits = tensors.get<float>("logits." + id), expected = tensors.get<float>("probs." + id);
    const auto found = sampler.distribution(logits, {sampling, golden_history(params)});
    for (size_t i = 0; i < expected.size(); ++i) {
      CHECK_NEAR(found[i], expected[i], tolerance);
      // The same tokens are left, down to probabilities that the smallest floats cannot hold.
      if (expected[i] == 0.0F) CHECK(found[i] < 1e-30F);
      if (expected[i] > 1e-30F) CHECK(found[i] > 0.0F);
    }
    num_cases++;
  }
  CHECK_EQ(num_cases, 48U);
}

TEST(exponential_is_exact_to_float_precision) {
  for (float x = 0.0F; x > -86.9F; x -= 0.00937F) {
    const double exact = std::exp(static_cast<double>(x));
    CHECK_NEAR(exp_nonpositive(x) / exact, 1.0, 3e-7);
  }
  CHECK_EQ(exp_nonpositive(0.0F), 1.0F);
  CHECK_EQ(exp_nonpositive(-1000.0F), 0.0F);
  CHECK_EQ(exp_nonpositive(-std::numeric_limits<float>::infinity()), 0.0F);
}

TEST(selects_the_best_with_ties_by_id) {
  std::mt19937 random(5);
  std::vector<Candidate> top;
  for (const size_t size : {1U, 15U, 16U, 17U, 1000U, 5000U}) {
    std::vector<float> values(size);
    for (float& value : values) value = static_cast<float>(random() % 50);  // many ties
    std::vector<Candidate> sorted;
    for (size_t i = 0; i < size; ++i) sorted.push_back({static_cast<int32_t>(i), values[i]});
    std::stable_sort(sorted.begin(), sorted.end(), [](const auto& a, const auto& b) { return a.value > b.value; });
    for (const size_t count : {0U, 1U, 7U, 300U, 4999U, 9000U}) {
      select_top(values, count, top);
      CHECK_EQ(top.size(), std::min<size_t>(count, size));
      for (size_t i = 0; i < top.size(); ++i) CHECK_EQ(top[i].token_id, sorted[i].token_id);
    }
  }
}

TEST(greedy_takes_the_first_of_equal_maxima) {
  for (const size_t size : {1U, 16U, 100U, 151936U}) {
    std::vector<float> logits = random_logits(size, 3);
    const size_t first = size / 3;
    logits[first] = logits[size - 1] = 100.0F;
    CHECK_EQ(sample(logits, greedy()).token_id, static_cast<int32_t>(first));
  }
}

TEST(equal_seeds_draw_equal_tokens_and_others_do_not) {
  const std::vector<float> logits = random_logits(2000, 4, 1.0F);
  SamplingParams params;
  int num_different_seed = 0, num_different_step = 0;
  for (int64_t step = 0; step < 50; ++step) {
    const int32_t token = sample(logits, params, 42, step).token_id;
    CHECK_EQ(token, sample(logits, params, 42, step).token_id);
    num_different_seed += token != sample(logits, params, 43, step).token_id ? 1 : 0;
    num_different_step += token != sample(logits, params, 42, step + 1000).token_id ? 1 : 0;
  }
  CHECK(num_different_seed > 25 && num_different_step > 25);
}

TEST(draws_follow_the_distribution) {
  // 4000 tokens of which four weigh 0.4, 0.3, 0.2, 0.1 and the rest nothing, spread over the stretches of the sum.
  std::vector<float> logits(4000, -200.0F);
  const std::vector<std::pair<size_t, double>> tokens = {{3, 0.4}, {1030, 0.3}, {2047, 0.2}, {3999, 0.1}};
  for (const auto& [id, probability] : tokens) logits[id] = static_cast<float>(std::log(probability));
  std::vector<SamplingParams> settings(4);
  settings[1].top_k = 10;
  settings[2].top_p = 0.9999F;
  settings[3].min_p = 0.01F;
  for (const SamplingParams& params : settings) {
    std::vector<int> counts(logits.size(), 0);
    Sampler sampler;
    const TokenHistory history;
    for (int64_t step = 0; step < 4000; ++step) {
      counts[static_cast<size_t>(sampler.sample(logits, {params, history, {}, 9, 0, step}).token_id)]++;
    }
    for (const auto& [id, probability] : tokens) CHECK_NEAR(counts[id] / 4000.0, probability, 0.04);
  }
}

TEST(uniform_draws_are_philox) {
  // Known answers of Philox4x32-10 from the Random123 distribution.
  const auto zeros = philox({0, 0, 0, 0}, {0, 0});
  CHECK((zeros == std::array<uint32_t, 4>{0x6627e8d5U, 0xe169c58dU, 0xbc57ac4cU, 0x9b00dbd8U}));
  const auto ones = philox({~0U, ~0U, ~0U, ~0U}, {~0U, ~0U});
  CHECK((ones == std::array<uint32_t, 4>{0x408f276dU, 0x41c83b0eU, 0xa20bc7c6U, 0x6d5451fdU}));
  for (uint64_t step = 0; step < 1000; ++step) {
    const double draw = uniform_draw(7, 1, step);
    CHECK(draw >= 0.0 && draw < 1.0);
  }
}

TEST(a_wide_nucleus_matches_a_full_sort) {
  const std::vector<float> logits = random_logits(20000, 8, 0.5F);
  SamplingParams params;
  params.top_p = 0.9F;
  const auto found = Sampler().distribution(logits, {params, TokenHistory()});
  std::vector<std::pair<double, size_t>> sorted;
  double total = 0;
  for (size_t i = 0; i < logits.size(); ++i) {
    sorted.emplace_back(std::exp(static_cast<double>(logits[i])), i);
    total += sorted.back().first;
  }
  std::sort(sorted.rbegin(), sorted.rend());
  double mass = 0;
  size_t num_kept = 0;
  while (mass < 0.9 * total) mass += sorted[num_kept++].first;
  const auto num_found = std::count_if(found.begin(), found.end(), [](float p) { return p > 0; });
  CHECK_NEAR(static_cast<double>(num_found), static_cast<double>(num_kept), 1);
  CHECK_NEAR(found[sorted[0].second], sorted[0].first / mass, 1e-6);
}

TEST(logprobs_are_of_penalized_logits_before_temperature) {
  const std::vector<float> logits = random_logits(500, 11);
  SamplingParams params;
  params.temperature = 0.3F;
  params.top_k = 3;
  params.num_logprobs = 5;
  params.logit_bias = {{7, 4.0F}};
  const SampledToken result = sample(logits, params);
  std::vector<float> biased = logits;
  biased[7] += 4.0F;
  double sum = 0;
  for (const float logit : biased) sum += std::exp(static_cast<double>(logit));
  const auto expected = [&](int32_t id) { return biased[static_cast<size_t>(id)] - std::log(sum); };
  CHECK_EQ(result.logprob->token_id, result.token_id);
  CHECK_NEAR(result.logprob->logprob, expected(result.token_id), 1e-5);
  CHECK_EQ(result.logprob->top.size(), 5U);
  for (size_t i = 0; i < 5; ++i) {
    const auto& [id, logprob] = result.logprob->top[i];
    CHECK_NEAR(logprob, expected(id), 1e-5);
    if (id == result.token_id) CHECK_EQ(result.logprob->rank, static_cast<int32_t>(i) + 1);
  }
  CHECK(result.logprob->rank >= 1 && result.logprob->rank <= 3);
}

TEST(logprobs_may_be_of_the_chosen_token_alone) {
  SamplingParams params = greedy();
  params.num_logprobs = 0;
  const SampledToken result = sample({0.0F, 1.0F, 0.0F}, params);
  CHECK(result.logprob->top.empty());
  CHECK_EQ(result.logprob->rank, 1);
  CHECK(!sample({0.0F, 1.0F, 0.0F}, greedy()).logprob.has_value());
}

TEST(banned_tokens_are_not_chosen_but_ranked) {
  const std::vector<float> logits = {5.0F, 4.0F, 3.0F, 2.0F};
  const std::vector<int32_t> banned = {0, 1, 99};
  SamplingParams params = greedy();
  params.num_logprobs = 2;
  const SampledToken result = sample(logits, params, 1, 0, banned);
  CHECK_EQ(result.token_id, 2);
  CHECK_EQ(result.logprob->rank, 3);
  CHECK_EQ(result.logprob->top[0].first, 0);
  params.temperature = 5.0F;
  for (int64_t step = 0; step < 100; ++step) CHECK(sample(logits, params, 1, step, banned).token_id >= 2);
  const std::vector<int32_t> all = {0, 1, 2, 3};
  CHECK_THROWS(sample(logits, params, 1, 0, all), ErrorCode::kInvalidArgument);
}

TEST(logits_that_are_not_finite_are_an_error) {
  for (const float bad : {std::numeric_limits<float>::quiet_NaN(), std::numeric_limits<float>::infinity(),
                          -std::numeric_limits<float>::infinity()}) {
    for (const size_t place : {0U, 40U, 99U}) {
      std::vector<float> logits(100, 1.0F);
      logits[place] = bad;
      CHECK_THROWS(sample(logits, greedy()), ErrorCode::kInternal);
      CHECK_THROWS(sample(logits, SamplingParams()), ErrorCode::kInternal);
    }
  }
}

TEST(overflow_by_bias_or_penalties_is_the_requests_fault) {
  const float huge = std::numeric_limits<float>::max();
  SamplingParams params = greedy();
  params.logit_bias = {{1, huge}};
  CHECK_THROWS(sample({huge, huge, 1.0F}, params), ErrorCode::kInvalidArgument);
  CHECK_THROWS(sample({std::numeric_limits<float>::infinity(), 1.0F, 1.0F}, params), ErrorCode::kInternal);
}

TEST(extreme_temperatures_and_logits_stay_defined) {
  SamplingParams params;
  params.temperature = std::numeric_limits<float>::denorm_min();
  CHECK_EQ(sample({1.0F, 3.0F, 2.0F}, params).token_id, 1);
  params.temperature = std::numeric_limits<float>::max();
  CHECK(sample({1.0F, 3.0F, 2.0F}, params).token_id >= 0);
  params.temperature = 1.0F;
  const float huge = std::numeric_limits<float>::max();
  CHECK_EQ(sample({-huge, huge, -huge}, params).token_id, 1);
  params.top_p = 1e-30F;
  CHECK_EQ(sample({1.0F, 3.0F, 2.0F}, params).token_id, 1);
  params.min_p = 1.0F;
  CHECK_EQ(sample({1.0F, 3.0F, 2.0F}, params).token_id, 1);
}
