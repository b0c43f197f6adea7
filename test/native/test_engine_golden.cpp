// Golden checkpoints through the whole engine, on every table: tokens and logprobs of the reference, whatever else is in the
// batch and however prompts are cut.

#include <cstdio>

#include "check.h"
#include "golden_engine.h"

using namespace engine_testing;  // NOLINT(google-build-using-namespace)

namespace {

constexpr double kLogprobTolerance = 5e-4;  // of the manifests, fp32

EngineOptions golden_options(int32_t max_num_batched_tokens) {
  EngineOptions options;
  options.max_num_seqs = 16;
  options.max_num_batched_tokens = max_num_batched_tokens;
  options.max_model_len = 2048;
  options.num_blocks = 600;
  return options;
}

void check_case(const Answer& answer, const golden::Case& expected, const std::string& where) {
  if (answer.token_ids != expected.generated_ids) {
    return check::fail(__FILE__, __LINE__, where + expected.name + ": other tokens " + answer.last.error_message);
  }
  const bool is_stopped = expected.expected.get_string("finish_reason", "") == "stop";
  CHECK(answer.last.finish_reason == (is_stopped ? FinishReason::kStop : FinishReason::kLength));
  const auto top_ids = expected.tensors.get<int32_t>("gen_top20_ids");
  const auto top_logprobs = expected.tensors.get<float>("gen_top20_logprobs");
  CHECK_EQ(answer.logprobs.size() * 20, top_logprobs.size());
  for (size_t step = 0; step < answer.logprobs.size(); ++step) {
    const TokenLogprob& found = answer.logprobs[step];
    CHECK_EQ(found.rank, 1);
    CHECK_NEAR(found.logprob, top_logprobs[step * 20], kLogprobTolerance);
    for (size_t i = 0; i < 20; ++i) CHECK_NEAR(found.top[i].second, top_logprobs[step * 20 + i], kLogprobTolerance);
    CHECK_EQ(found.top[0].first, top_ids[step * 20]);
  }
}

void check_family(const std::string& family) {
  if (!std::filesystem::exists(golden::root() / family)) {
    std::printf("     %s is not part of the goldens in %s\n", family.c_str(), golden::root().c_str());
    return;
  }
  const std::vector<golden::Case> cases = golden::runnable_cases(family);
  CHECK(!cases.empty());
  for (const auto& table : golden::tables(DType::kFloat32)) {
    for (const int32_t budget : {16, 2048}) {
      const auto harness = golden::make_engine(family, table, golden_options(budget));
      const std::string where = family + " on " + table.isa + ", " + std::to_string(budget) + " tokens a step, ";
      for (size_t round = 0; round < 2; ++round) {  // the second finds keys, values and encoder rows of the first
        const uint64_t first_id = round * cases.size();
        for (size_t i = 0; i < cases.size(); ++i) harness->engine->submit(golden::make_request(cases[i], first_id + i));
        for (size_t i = 0; i < cases.size(); ++i) check_case(harness->wait(first_id + i), cases[i], where);
      }
      CHECK_EQ(harness->engine->stats().num_used_blocks, 0);
    }
  }
  std::printf("     %s: %zu cases\n", family.c_str(), cases.size());
}

bool is_identical(const Answer& a, const Answer& b) {
  if (a.token_ids != b.token_ids || a.logprobs.size() != b.logprobs.size()) return false;
  for (size_t i = 0; i < a.logprobs.size(); ++i) {
    if (a.logprobs[i].logprob != b.logprobs[i].logprob || a.logprobs[i].top != b.logprobs[i].top) return false;
  }
  return true;
}

/// Sixteen prompts of different lengths, cut from the long one and the others.
std::vector<EngineRequest> sixteen_requests() {
  const std::vector<golden::Case> cases = golden::runnable_cases("qwen2");
  std::vector<EngineRequest> requests;
  for (uint64_t id = 0; id < 16; ++id) {
    EngineRequest request = golden::make_request(cases[id % cases.size()], id);
    const size_t length = request.prompt_ids.size();
    request.prompt_ids.resize(std::max<size_t>(5, length - id * length / 20));
    request.sampling.max_tokens = 12 + 2 * static_cast<int32_t>(id);
    if (id % 4 == 3) request.sampling.temperature = 0.8F;
    request.sampling.seed = id;
    requests.push_back(std::move(request));
  }
  return requests;
}

void check_parallel(const std::vector<EngineRequest>& requests, const sensorium::testing::TableCase& table) {
  EngineOptions alone = golden_options(2048);
  alone.enable_prefix_caching = false;
  const auto one_by_one = golden::make_engine("qwen2", table, alone);
  std::vector<Answer> expected;
  for (const EngineRequest& request : requests) expected.push_back(one_by_one->run(request));
  int64_t num_preemptions = 0;
  for (const int32_t budget : {16, 100, 2048}) {
    EngineOptions together = golden_options(budget);
    together.num_blocks = 20;  // some are preempted
    const auto parallel = golden::make_engine("qwen2", table, together);
    for (const EngineRequest& request : requests) parallel->engine->submit(request);
    for (const EngineRequest& request : requests) {
      CHECK(is_identical(parallel->wait(request.id), expected[request.id]));
    }
    num_preemptions += parallel->engine->stats().num_preemptions;
  }
  CHECK(num_preemptions > 0);
  std::printf("     on %s, %s\n", table.isa.c_str(), std::string(dtype_name(table.dtype)).c_str());
}

}  // namespace

TEST(qwen2_answers_like_the_reference) { check_family("qwen2"); }
TEST(llama_answers_like_the_reference) { check_family("llama"); }
TEST(mistral_answers_like_the_reference) { check_family("mistral"); }
TEST(phi3_answers_like_the_reference) { check_family("phi3"); }
TEST(llava_answers_like_the_reference) { check_family("llava"); }
TEST(llava_onevision_answers_like_the_reference) { check_family("llava_onevision"); }
TEST(phi3_v_answers_like_the_reference) { check_family("phi3_v"); }
TEST(minicpm_v_answers_like_the_reference) { check_family("minicpm_v"); }
TEST(qwen2_vl_answers_like_the_reference) { check_family("qwen2_vl"); }
TEST(qwen2_5_vl_answers_like_the_reference) { check_family("qwen2_5_vl"); }
TEST(qwen2_5_omni_answers_like_the_reference) { check_family("qwen2_5_omni"); }
TEST(qwen3_answers_like_the_reference) { check_family("qwen3"); }
TEST(qwen3_moe_answers_like_the_reference) { check_family("qwen3_moe"); }
TEST(qwen3_vl_answers_like_the_reference) { check_family("qwen3_vl"); }
TEST(qwen3_vl_moe_answers_like_the_reference) { check_family("qwen3_vl_moe"); }
TEST(qwen3_omni_moe_answers_like_the_reference) { check_family("qwen3_omni_moe"); }
TEST(qwen2_audio_answers_like_the_reference) { check_family("qwen2_audio"); }
TEST(ultravox_answers_like_the_reference) { check_family("ultravox"); }

TEST(sixteen_in_parallel_are_bit_identical_to_one_by_one) {
  const std::vector<EngineRequest> requests = sixteen_requests();
  for (const DType dtype : {DType::kFloat32, DType::kBFloat16}) {
    for (const auto& table : golden::tables(dtype)) check_parallel(requests, table);
  }
}
