// Where tokens lie in what the encoder heard: the filter, the path and the weights against computations of another kind; then
// through the engine, whatever else is in the batch.

#include <cstdio>

#include "backend_testing.h"
#include "check.h"
#include "core/error.h"
#include "golden_engine.h"
#include "golden_whisper.h"
#include "naive_alignment.h"
#include "ops/attention.h"
#include "ops/median_filter.h"
#include "ops/norm.h"
#include "ops/time_warp.h"

using namespace engine_testing;      // NOLINT(google-build-using-namespace)
using namespace sensorium::testing;  // NOLINT(google-build-using-namespace)
using golden::WhisperWindow;

namespace {

std::unique_ptr<Backend> generic() { return create({"generic", false, DType::kFloat32}); }

Matrix matrix(std::vector<float>& values, int64_t rows) {
  return {values.data(), rows, static_cast<int64_t>(values.size()) / rows};
}

std::vector<int32_t> warp(std::vector<float> gains, int64_t rows) { return ops::time_warp(matrix(gains, rows)); }

/// Follows every path from (row, column) on; keeps where the best one enters each row.
struct AllPaths {
  const naive::Rows& gains;
  double best = -HUGE_VAL;
  std::vector<int32_t> best_columns = {}, columns = {};

  void follow(size_t row, size_t column, double sum) {
    sum += gains[row][column];
    const bool is_entry = columns.size() == row;
    if (is_entry) columns.push_back(static_cast<int32_t>(column));
    const bool has_row = row + 1 < gains.size(), has_column = column + 1 < gains[row].size();
    if (!has_row && !has_column && sum > best) {
      best = sum;
      best_columns = columns;
    }
    if (has_row) follow(row + 1, column, sum);
    if (has_column) follow(row, column + 1, sum);
    if (has_row && has_column) follow(row + 1, column + 1, sum);
    if (is_entry) columns.pop_back();
  }
};

/// One sequence's whole prompt in one step, by hand.
struct Step {
  Step(Model& model, Backend& backend, const std::vector<int32_t>& prompt_ids, ConstMatrix heard) : ids(prompt_ids) {
    const auto num_tokens = static_cast<int32_t>(ids.size()), num_rows = static_cast<int32_t>(heard.rows);
    // The encoder's blocks lie behind the tokens', in descending order.
    const int32_t num_own = (num_tokens + 15) / 16, num_cross = (num_rows + 15) / 16;
    for (int32_t i = 0; i < num_own; ++i) own_blocks.push_back(i);
    for (int32_t i = num_cross - 1; i >= 0; --i) cross_blocks.push_back(num_own + i);
    for (int32_t i = 0; i < num_tokens; ++i) {
      positions.push_back(static_cast<float>(i));
      slots.push_back(i);
    }
    sequences.push_back({0, num_tokens, num_tokens, own_blocks});
    cross.push_back({cross_blocks, num_rows, heard});
    cache = model.create_kv_cache(backend, num_own + num_cross, 16);
  }
  ForwardBatch view() const { return {ids, positions, positions, positions, slots, sequences, {}, {}, {}, cross}; }

  std::vector<int32_t> ids, own_blocks, cross_blocks, slots;
  std::vector<float> positions;
  std::vector<PagedSequence> sequences;
  std::vector<CrossSource> cross;
  std::unique_ptr<KvCache> cache;
};

const std::vector<AttentionHead> kOneHead = {{0, 0}};
const std::vector<AttentionHead> kUpperHalf = {{1, 0}, {1, 1}, {1, 2}, {2, 0}, {2, 1}, {2, 2}};
constexpr int32_t kNumFrames = 90;

/// Prompt, text and end token of a window as they are read once more.
std::vector<int32_t> read_again(const WhisperWindow& window) {
  std::vector<int32_t> ids(window.prompt_ids.begin(), window.prompt_ids.begin() + 3);
  ids.push_back(473);
  for (const int32_t id : window.generated_ids) {
    if (id < 457) ids.push_back(id);
  }
  ids.push_back(457);
  return ids;
}

WhisperWindow window_named(const std::string& name) {
  for (const WhisperWindow& window : golden::all_whisper_windows()) {
    if (window.name == name) return window;
  }
  throw std::runtime_error("no golden window " + name);
}

naive::Rows naive_weights(const std::vector<int32_t>& ids, const Tensor& heard, const std::vector<AttentionHead>& heads) {
  const naive::Decoder decoder(golden::root() / "whisper" / "model" / "model.safetensors", 3, 3);
  const std::vector<float> values(heard.data(), heard.data() + heard.size());
  const auto seen = decoder.cross_attention(ids, naive::rows_of(values, static_cast<size_t>(heard.shape()[1])), kNumFrames);
  naive::Rows mean(ids.size(), std::vector<double>(kNumFrames));
  for (const AttentionHead& head : heads) {
    naive::add(mean, naive::smooth(seen[static_cast<size_t>(head.layer)][static_cast<size_t>(head.index)], 7));
  }
  for (auto& row : mean) {
    for (double& value : row) value /= static_cast<double>(heads.size());
  }
  return mean;
}

void check_weights(Model& model, Backend& backend, const WhisperWindow& window, const std::vector<AttentionHead>& heads) {
  Arena arena;
  const std::vector<int32_t> ids = read_again(window);
  const Tensor heard = model.encode(*window.media, arena);
  const naive::Rows expected = naive_weights(ids, heard, heads);
  Step step(model, backend, ids, {heard.data(), heard.shape()[0], heard.shape()[1]});
  const auto num_tokens = static_cast<int64_t>(ids.size());
  const Matrix queries = arena.matrix(num_tokens, std::ssize(heads) * model.info().head_dim);
  model.forward_queries(step.view(), heads, *step.cache, arena, queries);
  const TokenAlignment alignment{queries, heads, step.cross_blocks, kNumFrames, 7, 3, num_tokens - 4};
  const Matrix weights = arena.matrix(num_tokens, kNumFrames);
  alignment_weights(backend, arena, *step.cache, alignment, weights);
  double worst = 0;
  for (int64_t r = 0; r < num_tokens; ++r) {
    for (int64_t c = 0; c < kNumFrames; ++c) {
      const double difference =
          static_cast<double>(weights.row(r)[c]) - expected[static_cast<size_t>(r)][static_cast<size_t>(c)];
      worst = std::max(worst, std::isfinite(difference) ? std::fabs(difference) : HUGE_VAL);
    }
  }
  std::printf("     on %s, %zu heads: worst difference %.1e\n", describe(backend).c_str(), heads.size(), worst);
  CHECK(worst < 1e-4);
  const std::vector<int32_t> frames = model.align(alignment, *step.cache, arena);
  const naive::Rows aligned(expected.begin() + 3, expected.end() - 1);
  CHECK(frames.size() == aligned.size() && frames.front() == 0 && std::is_sorted(frames.begin(), frames.end()));
  CHECK(frames.back() < kNumFrames && frames.back() > 0);
  CHECK_NEAR(naive::sum_along(aligned, frames), naive::best_sum(aligned), 1e-3);
}

EngineRequest to_align(const WhisperWindow& window, uint64_t id) {
  EngineRequest request;
  request.id = id;
  request.kind = RequestKind::kAlign;
  request.prompt_ids = read_again(window);
  request.media.push_back({window.name, window.media, {}, false});
  request.sampling.max_tokens = 1;
  const auto num_tokens = static_cast<int32_t>(request.prompt_ids.size()) - 4;
  request.alignment = {kUpperHalf, 7, 3, num_tokens, kNumFrames};
  return request;
}

EngineOptions options_with(int32_t max_num_batched_tokens, int64_t num_blocks) {
  EngineOptions options;
  options.max_num_batched_tokens = max_num_batched_tokens;
  options.max_model_len = 448;
  options.num_blocks = num_blocks;
  return options;
}

EngineRequest to_answer(const WhisperWindow& window, uint64_t id) {
  EngineRequest request = to_align(window, id);
  request.kind = RequestKind::kGenerate;
  request.prompt_ids = window.prompt_ids;
  request.sampling.temperature = 0;
  request.sampling.max_tokens = static_cast<int32_t>(window.generated_ids.size());
  request.sampling.rules = golden::whisper_rules(window.prompt_ids);
  return request;
}

}  // namespace

TEST(a_median_filter_takes_the_middle_of_each_window) {
  const auto backend = generic();
  Random random(1);
  for (const int64_t width : {1, 3, 7, 9, 63}) {
    for (const int64_t cols : {64, 65, 200}) {
      std::vector<float> padded = random.normal(3 * (cols + width - 1)), found(static_cast<size_t>(3 * cols));
      ops::mirror_edges(*backend, matrix(padded, 3), width / 2);
      ops::median_filter(*backend, matrix(padded, 3), width, matrix(found, 3));
      for (int64_t r = 0; r < 3; ++r) {
        const float* row = matrix(padded, 3).row(r) + width / 2;
        const std::vector<double> inner(row, row + cols);
        for (int64_t c = 0; c < cols; ++c) {
          std::vector<double> window;
          for (int64_t i = c - width / 2; i <= c + width / 2; ++i) window.push_back(naive::mirrored(inner, i));
          CHECK_NEAR(matrix(found, 3).row(r)[c], naive::median(window), 0.0);
        }
      }
    }
  }
}

TEST(filters_and_edges_that_cannot_be_are_refused) {
  const auto backend = generic();
  std::vector<float> x(40), y(40);
  CHECK_THROWS(ops::median_filter(*backend, matrix(x, 2), 2, matrix(y, 2)), ErrorCode::kInvalidArgument);
  CHECK_THROWS(ops::median_filter(*backend, matrix(x, 2), 65, matrix(y, 2)), ErrorCode::kInvalidArgument);
  CHECK_THROWS(ops::median_filter(*backend, matrix(x, 2), 3, matrix(y, 2)), ErrorCode::kInvalidArgument);
  CHECK_THROWS(ops::mirror_edges(*backend, matrix(x, 2), 7), ErrorCode::kInvalidArgument);
  CHECK_THROWS(ops::time_warp(Matrix(x.data(), 0, 4)), ErrorCode::kInvalidArgument);
}

TEST(columns_are_standardized_and_equal_ones_become_zeros) {
  const auto backend = generic();
  std::vector<float> x;
  for (int r = 0; r < 4; ++r) {
    for (int c = 0; c < 130; ++c) x.push_back(c == 70 ? 3.0F : static_cast<float>(r * (c + 1)));
  }
  ops::standardize_columns(*backend, matrix(x, 4));
  for (int64_t c = 0; c < 130; ++c) {
    for (int64_t r = 0; r < 4; ++r) {
      CHECK_NEAR(matrix(x, 4).row(r)[c], c == 70 ? 0.0 : (static_cast<double>(r) - 1.5) / std::sqrt(1.25), 1e-6);
    }
  }
}

TEST(attention_weights_are_probabilities_of_scaled_products) {
  const auto backend = generic();
  std::vector<float> q = {1, 0, 0, 2}, keys = {0, 1, 2, 1, 0, -1}, weights(6);
  ops::attention_weights(*backend, matrix(q, 2), matrix(keys, 2), 0.5F, matrix(weights, 2));
  const double first = 1 + std::exp(0.5) + std::exp(1.0), second = std::exp(1.0) + 1 + std::exp(-1.0);
  CHECK_NEAR(weights[2], std::exp(1.0) / first, 1e-6);
  CHECK_NEAR(weights[3], std::exp(1.0) / second, 1e-6);
  CHECK_NEAR(weights[5], std::exp(-1.0) / second, 1e-6);
}

TEST(known_paths_are_found) {
  CHECK_EQ(warp({5}, 1), std::vector<int32_t>{0});
  CHECK_EQ(warp({1, 2, 3}, 1), std::vector<int32_t>{0});
  CHECK_EQ(warp({1, 2, 3}, 3), (std::vector<int32_t>{0, 0, 0}));
  CHECK_EQ(warp({9, -1, -1, -1, 9, -1, -1, -1, 9}, 3), (std::vector<int32_t>{0, 1, 2}));
  CHECK_EQ(warp({9, 9, 9, -1, -1, -1, -1, -1, 9, -1, -1, -1, -1, -1, 9}, 3), (std::vector<int32_t>{0, 3, 4}));
  CHECK_EQ(warp({1, -9, -9, -9, 1, 1, -9, -9, -9, -9, 1, 1}, 3), (std::vector<int32_t>{0, 0, 2}));
}

TEST(the_path_is_the_best_of_all) {
  Random random(2);
  for (const auto& [rows, cols] : {std::pair{2, 2}, {2, 6}, {6, 2}, {3, 5}, {5, 5}, {4, 7}}) {
    for (int i = 0; i < 20; ++i) {
      const std::vector<float> gains = random.normal(rows * cols);
      const naive::Rows exact = naive::rows_of(gains, static_cast<size_t>(cols));
      AllPaths paths{exact};
      paths.follow(0, 0, 0);
      CHECK_EQ(warp(gains, rows), paths.best_columns);
      CHECK_NEAR(naive::best_sum(exact), paths.best, 1e-9);
      CHECK_NEAR(naive::sum_along(exact, paths.best_columns), paths.best, 1e-9);
    }
  }
}

TEST(gains_that_are_no_numbers_end_in_some_path) {
  for (const int64_t rows : {1, 2, 4, 8}) {
    std::vector<float> gains(8, std::numeric_limits<float>::quiet_NaN());
    const std::vector<int32_t> columns = warp(gains, rows);
    CHECK(std::ssize(columns) == rows && std::is_sorted(columns.begin(), columns.end()));
  }
}

TEST(alignment_weights_equal_a_naive_computation) {
  for (const TableCase& table : golden::tables(DType::kFloat32)) {
    const std::unique_ptr<Backend> backend = create(table);
    const std::unique_ptr<Model> model = load_model(golden::root() / "whisper" / "model", *backend, {});
    const WhisperWindow window = window_named("transcribe_en_3s");
    check_weights(*model, *backend, window, kOneHead);
    check_weights(*model, *backend, window, kUpperHalf);
  }
}

TEST(tokens_are_aligned_alike_in_any_company) {
  const std::vector<WhisperWindow> windows = golden::all_whisper_windows();
  for (const TableCase& table : golden::tables(DType::kFloat32)) {
    std::vector<std::vector<int32_t>> alone;
    for (const int32_t budget : {2048, 5}) {
      const auto harness = golden::make_engine("whisper", table, options_with(budget, 2000));
      for (size_t i = 0; alone.size() < windows.size(); ++i) {
        alone.push_back(harness->run(to_align(windows[i], i)).last.token_frames);
      }
      for (size_t i = 0; i < windows.size(); ++i) {
        harness->engine->submit(to_answer(windows[i], 100 + i));
        harness->engine->submit(to_align(windows[i], 200 + i));
      }
      for (size_t i = 0; i < windows.size(); ++i) {
        const Answer answer = harness->wait(100 + i), aligned = harness->wait(200 + i);
        CHECK(answer.token_ids == windows[i].generated_ids);
        CHECK(aligned.last.finish_reason == FinishReason::kStop && aligned.token_ids.empty());
        CHECK(!alone[i].empty() && aligned.last.token_frames == alone[i]);
      }
      CHECK_EQ(harness->engine->stats().num_used_blocks, 0);
    }
  }
}

TEST(an_alignment_that_loses_its_blocks_begins_again) {
  const WhisperWindow window = window_named("transcribe_en_3s");
  EngineRequest aligned = to_align(window, 0);
  const std::vector<int32_t> text(aligned.prompt_ids.begin() + 4, aligned.prompt_ids.end() - 1);
  while (aligned.prompt_ids.size() < 100) aligned.prompt_ids.insert(aligned.prompt_ids.end(), text.begin(), text.end());
  aligned.alignment.num_tokens = 90;
  const TableCase table{"generic", false, DType::kFloat32};
  const auto roomy = golden::make_engine("whisper", table, options_with(2048, 400));
  const std::vector<int32_t> expected = roomy->run(aligned).last.token_frames;
  // One token a step is left for it, while two answers grow into its blocks.
  const auto tight = golden::make_engine("whisper", table, options_with(3, 296));
  for (const uint64_t id : {1, 2}) {
    EngineRequest request = to_answer(window, id);
    request.sampling.max_tokens = 90;
    request.sampling.ignore_eos = true;
    tight->engine->submit(std::move(request));
  }
  CHECK(tight->run(aligned).last.token_frames == expected);
  CHECK(tight->engine->stats().num_preemptions > 0);
  CHECK(tight->wait(1).token_ids == tight->wait(2).token_ids);
}

TEST(an_alignment_can_be_aborted) {
  const auto harness = golden::make_engine("whisper", {"generic", false, DType::kFloat32}, options_with(2, 400));
  const WhisperWindow window = window_named("transcribe_en_3s");
  harness->engine->submit(to_align(window, 1));
  harness->engine->abort(1);
  CHECK(harness->wait(1).last.finish_reason == FinishReason::kAborted);
  CHECK(!harness->run(to_align(window, 2)).last.token_frames.empty());
  CHECK_EQ(harness->engine->stats().num_used_blocks, 0);
}

TEST(alignments_that_cannot_be_are_refused) {
  const auto harness = golden::make_engine("whisper", {"generic", false, DType::kFloat32}, options_with(2048, 400));
  const EngineRequest good = to_align(window_named("transcribe_en_3s"), 1);
  const auto refuses = [&](auto change) {
    EngineRequest request = good;
    change(request.alignment);
    CHECK_THROWS(harness->engine->submit(std::move(request)), ErrorCode::kInvalidArgument);
  };
  refuses([](AlignmentParams& params) { params.heads.clear(); });
  refuses([](AlignmentParams& params) { params.heads = {{3, 0}}; });
  refuses([](AlignmentParams& params) { params.heads = {{0, -1}}; });
  refuses([](AlignmentParams& params) { params.heads.resize(10); });
  refuses([](AlignmentParams& params) { params.filter_width = 8; });
  refuses([](AlignmentParams& params) { params.filter_width = 65; });
  refuses([](AlignmentParams& params) { params.num_frames = 1501; });
  refuses([](AlignmentParams& params) { params.num_frames = 0; });
  refuses([](AlignmentParams& params) { params.num_tokens += 2; });
  refuses([](AlignmentParams& params) { params.first_token = -1; });
  EngineRequest twice = good;
  twice.sampling.n = 2;
  CHECK_THROWS(harness->engine->submit(twice), ErrorCode::kInvalidArgument);
  Harness deaf(small_options());
  EngineRequest text = text_request(1, tokens(9));
  text.kind = RequestKind::kAlign;
  text.alignment = {kOneHead, 7, 0, 9, 1};
  CHECK_THROWS(deaf.engine->submit(text), ErrorCode::kInvalidArgument);
}

TEST(a_moment_of_sound_holds_all_tokens) {
  const auto harness = golden::make_engine("whisper", {"generic", false, DType::kFloat32}, options_with(2048, 400));
  EngineRequest request = to_align(window_named("transcribe_en_3s"), 0);
  for (const int32_t num_frames : {1, 2, 3, 4}) {
    request.id = static_cast<uint64_t>(num_frames);
    request.alignment.num_frames = num_frames;
    const std::vector<int32_t> frames = harness->run(request).last.token_frames;
    CHECK(std::ssize(frames) == request.alignment.num_tokens && std::is_sorted(frames.begin(), frames.end()));
    CHECK(frames.front() == 0 && frames.back() < num_frames);
  }
}
