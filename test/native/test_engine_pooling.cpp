// Pooled requests: the hidden state of the prompt's last token, whatever else is in the batch and however the prompt is cut.

#include <cmath>
#include <cstdio>

#include "check.h"
#include "golden_engine.h"

using namespace engine_testing;  // NOLINT(google-build-using-namespace)

namespace {

constexpr double kTolerance = 1e-4;  // of the manifests, fp32

EngineOptions pooling_options(int32_t max_num_batched_tokens) {
  EngineOptions options;
  options.max_num_batched_tokens = max_num_batched_tokens;
  options.max_model_len = 1024;
  options.num_blocks = 400;
  return options;
}

EngineRequest pooled(const golden::Case& source, uint64_t id, bool is_normalized) {
  EngineRequest request = golden::make_request(source, id);
  request.kind = RequestKind::kPool;
  request.is_normalized = is_normalized;
  request.sampling.max_tokens = 1;
  return request;
}

void check_close(const std::vector<float>& found, const std::vector<float>& expected, const std::string& where) {
  double worst = found.size() == expected.size() && !found.empty() ? 0.0 : HUGE_VAL;
  for (size_t i = 0; i < std::min(found.size(), expected.size()); ++i) {
    worst = std::max(worst, std::fabs(static_cast<double>(found[i]) - static_cast<double>(expected[i])));
  }
  if (worst > kTolerance) check::fail(__FILE__, __LINE__, where + ": off by " + std::to_string(worst));
}

/// The cases of VLM2Vec; none where its goldens are not here.
std::vector<golden::Case> vlm2vec_cases() {
  if (std::filesystem::exists(golden::root() / "vlm2vec")) return golden::runnable_cases("vlm2vec");
  std::printf("     vlm2vec is not part of the goldens in %s\n", golden::root().c_str());
  return {};
}

/// Every case twice, normalised and not, and a text that is answered meanwhile.
void check_pooling(Harness& harness, const std::vector<golden::Case>& cases, const std::string& where) {
  const size_t num_cases = cases.size();
  EngineRequest text = text_request(2 * num_cases, tokens(9), 6);
  harness.engine->submit(text);
  for (size_t i = 0; i < num_cases; ++i) {
    harness.engine->submit(pooled(cases[i], i, true));
    harness.engine->submit(pooled(cases[i], num_cases + i, false));
  }
  for (size_t i = 0; i < num_cases; ++i) {
    const Answer normalized = harness.wait(i), plain = harness.wait(num_cases + i);
    CHECK(normalized.last.finish_reason == FinishReason::kStop && normalized.token_ids.empty());
    check_close(normalized.last.embedding, cases[i].tensors.get<float>("embedding"), where + cases[i].name + ", embedding");
    check_close(plain.last.embedding, cases[i].tensors.get<float>("pooled_hidden"), where + cases[i].name + ", pooled");
  }
  CHECK_EQ(harness.wait(text.id).token_ids.size(), size_t{6});
  CHECK_EQ(harness.engine->stats().num_used_blocks, 0);
}

}  // namespace

TEST(vlm2vec_embeds_like_the_reference) {
  const std::vector<golden::Case> cases = vlm2vec_cases();
  if (cases.empty()) return;
  for (const auto& table : golden::tables(DType::kFloat32)) {
    for (const int32_t budget : {100, 2048}) {
      const auto harness = golden::make_engine("vlm2vec", table, pooling_options(budget));
      check_pooling(*harness, cases, table.isa + ", " + std::to_string(budget) + " tokens a step, ");
    }
  }
}

TEST(a_cached_prefix_gives_the_same_embedding) {
  const std::vector<golden::Case> cases = vlm2vec_cases();
  if (cases.empty()) return;
  const auto harness = golden::make_engine("vlm2vec", {"generic", false, DType::kFloat32}, pooling_options(2048));
  for (size_t i = 0; i < cases.size(); ++i) {
    const Answer first = harness->run(pooled(cases[i], 2 * i, true)), second = harness->run(pooled(cases[i], 2 * i + 1, true));
    CHECK(first.last.embedding == second.last.embedding);
    if (cases[i].prompt_ids.size() > 32) CHECK(second.last.num_cached_tokens > 0);
  }
}

TEST(pooled_requests_may_fill_the_context_and_have_one_result) {
  EngineOptions options = small_options();
  options.max_model_len = 24;
  Harness harness(options);
  EngineRequest request = text_request(1, tokens(24));
  CHECK_THROWS(harness.engine->submit(request), ErrorCode::kInvalidArgument);
  request.kind = RequestKind::kPool;
  CHECK_EQ(std::ssize(harness.run(request).last.embedding), fake::kHiddenSize);
  request.id = 2;
  request.sampling.n = 2;
  CHECK_THROWS(harness.engine->submit(request), ErrorCode::kInvalidArgument);
  request.sampling.n = 1;
  request.prompt_ids.push_back(11);
  CHECK_THROWS(harness.engine->submit(request), ErrorCode::kInvalidArgument);
}
