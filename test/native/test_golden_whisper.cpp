// Whisper against the reference: encoder rows, hidden states, logits, tokens after its rules, on every table; then the same
// through the engine, whatever else is in the batch.

#include <cmath>
#include <cstdio>

#include "backend_testing.h"
#include "check.h"
#include "golden_engine.h"
#include "golden_whisper.h"
#include "model_driver.h"

using namespace engine_testing;      // NOLINT(google-build-using-namespace)
using namespace sensorium::testing;  // NOLINT(google-build-using-namespace)
using golden::WhisperWindow;

namespace {

/// Tolerances of the manifest.
struct Tolerance {
  double encoder, hidden, logits, logprobs, min_margin;
};
constexpr Tolerance kExact{3e-5, 1e-4, 3e-4, 5e-4, 0.0};
constexpr Tolerance kBFloat16{HUGE_VAL, HUGE_VAL, 0.6, 1.2, 0.6};

/// What came out on one table.
struct Summary {
  double encoder = 0, hidden = 0, logits = 0;
  int num_steps = 0, num_agreeing = 0;
};

double max_difference(std::span<const float> found, std::span<const float> expected) {
  if (found.size() != expected.size() || expected.empty()) return HUGE_VAL;
  double worst = 0;
  for (size_t i = 0; i < found.size(); ++i) {
    const double difference = std::fabs(static_cast<double>(found[i]) - static_cast<double>(expected[i]));
    worst = std::isfinite(difference) ? std::max(worst, difference) : HUGE_VAL;
  }
  return worst;
}

class WindowRunner {
 public:
  WindowRunner(Model& model, Backend& backend, const WhisperWindow& window, Summary& summary)
      : model_(model),
        backend_(backend),
        window_(window),
        summary_(summary),
        tolerance_(backend.compute_dtype() == DType::kFloat32 ? kExact : kBFloat16),
        rules_(golden::whisper_rules(window.prompt_ids)) {}

  void run() {
    prompt_.ids = window_.prompt_ids;
    prompt_.positions = model_.positions(prompt_.ids, {});
    check_features();
    check_encoder();
    if (has("last_hidden_state")) check_hidden();
    const std::vector<float> whole = check_generation();
    check_chunked_and_batched(whole);
  }

 private:
  bool has(const std::string& name) const { return window_.tensors->has(window_.prefix + name); }
  std::vector<float> stored(const std::string& name) const { return window_.tensors->get<float>(window_.prefix + name); }
  int32_t prompt_length() const { return static_cast<int32_t>(prompt_.ids.size()); }

  void expect_close(const std::string& what, std::span<const float> found, std::span<const float> expected, double tolerance,
                    double& worst) const {
    const double difference = max_difference(found, expected);
    worst = std::max(worst, difference);
    if (difference <= tolerance) return;
    check::fail(__FILE__, __LINE__,
                window_.name + " on " + describe(backend_) + ": " + what + " differs by " + std::to_string(difference));
  }

  /// The reference keeps [bins, frames] of the first frames.
  void check_features() const {
    if (!has("input_features")) return;
    const std::vector<float> expected = stored("input_features");
    const auto num_bins = static_cast<size_t>(window_.media->features.shape()[1]), num_frames = expected.size() / num_bins;
    for (size_t i = 0; i < expected.size(); ++i) {
      const float found = window_.media->features.data()[i % num_frames * num_bins + i / num_frames];
      CHECK_NEAR(found, expected[i], 1e-4);
    }
  }

  void check_encoder() {
    const Tensor rows = model_.encode(*window_.media, arena_);
    prompt_.cross_rows.assign(rows.data(), rows.data() + rows.size());
    std::vector<float> found;
    for (const int32_t row : window_.tensors->get<int32_t>("encoder_row_index")) {
      const float* begin = rows.data() + row * rows.shape()[1];
      found.insert(found.end(), begin, begin + rows.shape()[1]);
    }
    expect_close("encoder_output_rows", found, stored("encoder_output_rows"), tolerance_.encoder, summary_.encoder);
  }

  void check_hidden() {
    Driver driver(model_, backend_, prompt_length());
    sensorium::testing::Sequence sequence = driver.start(prompt_);
    expect_close("last_hidden_state", driver.step(sequence, prompt_length(), true), stored("last_hidden_state"),
                 tolerance_.hidden, summary_.hidden);
  }

  /// Feeds the reference's tokens back; returns the logits of the prompt's last token.
  std::vector<float> check_generation() {
    Driver driver(model_, backend_, prompt_length() + std::ssize(window_.generated_ids));
    sensorium::testing::Sequence sequence = driver.start(prompt_);
    const std::vector<float> first = driver.prefill(sequence, prompt_length());
    expect_close("first logits", first, stored(has("logits_last") ? "logits_last" : "logits_first"), tolerance_.logits,
                 summary_.logits);
    std::vector<float> logits = first;
    for (size_t i = 0; i < window_.generated_ids.size(); ++i) {
      check_step(i, logits);
      sequence.ids.push_back(window_.generated_ids[i]);
      if (i + 1 < window_.generated_ids.size()) logits = driver.step(sequence, 1);
    }
    return first;
  }

  void check_step(size_t step, std::vector<float> logits) {
    const size_t vocab = logits.size();
    if (has("gen_logits") && (step + 1) * vocab <= stored("gen_logits").size()) {
      const std::vector<float> expected = stored("gen_logits");
      expect_close("gen_logits", logits, std::span(expected).subspan(step * vocab, vocab), tolerance_.logits, summary_.logits);
    }
    apply_rules(rules_, std::span(window_.generated_ids).first(step), logits);
    const auto best = std::max_element(logits.begin(), logits.end()) - logits.begin();
    const bool is_equal = best == window_.generated_ids[step];
    ++summary_.num_steps;
    summary_.num_agreeing += is_equal ? 1 : 0;
    const double margin = window_.margins.empty() ? 0.0 : window_.margins[step];
    if (!is_equal && margin >= tolerance_.min_margin) {
      check::fail(__FILE__, __LINE__, window_.name + ": step " + std::to_string(step) + " chose token " + std::to_string(best));
    }
  }

  /// A prompt in pieces, and beside another sequence, gives the same bits.
  void check_chunked_and_batched(const std::vector<float>& whole) {
    Driver alone(model_, backend_, prompt_length());
    sensorium::testing::Sequence pieces = alone.start(prompt_);
    CHECK(alone.prefill(pieces, 2) == whole);
    Prompt other = prompt_;
    other.ids.resize(1);
    Driver driver(model_, backend_, prompt_length(), 2);
    sensorium::testing::Sequence first = driver.start(other), second = driver.start(prompt_);
    sensorium::testing::Sequence* const both[] = {&first, &second};
    const int32_t counts[] = {1, prompt_length()};
    const std::vector<float> logits = driver.step(both, counts);
    CHECK(std::vector<float>(logits.begin() + std::ssize(whole), logits.end()) == whole);
  }

  Model& model_;
  Backend& backend_;
  const WhisperWindow& window_;
  Summary& summary_;
  Tolerance tolerance_;
  DecodingRules rules_;
  Prompt prompt_;
  Arena arena_;
};

EngineRequest request_of(const WhisperWindow& window, uint64_t id) {
  EngineRequest request;
  request.id = id;
  request.prompt_ids = window.prompt_ids;
  request.media.push_back({window.name, window.media, {}, false});
  request.sampling.temperature = 0;
  request.sampling.max_tokens = static_cast<int32_t>(window.generated_ids.size());
  request.sampling.num_logprobs = 20;
  request.sampling.rules = golden::whisper_rules(window.prompt_ids);
  return request;
}

EngineOptions options_with(int32_t max_num_batched_tokens, int64_t num_blocks) {
  EngineOptions options;
  options.max_num_batched_tokens = max_num_batched_tokens;
  options.max_model_len = 448;
  options.num_blocks = num_blocks;
  return options;
}

void check_answer(const Answer& answer, const WhisperWindow& window) {
  if (answer.token_ids != window.generated_ids) {
    return check::fail(__FILE__, __LINE__, window.name + ": other tokens " + answer.last.error_message);
  }
  const auto expected = window.tensors->get<float>(window.prefix + "gen_top20_logprobs");
  for (size_t i = 0; i < expected.size(); ++i) {
    const float found = answer.logprobs[i / 20].top[i % 20].second;
    if (found == expected[i]) continue;  // minus infinity
    CHECK_NEAR(found, expected[i], kExact.logprobs);
  }
}

}  // namespace

TEST(whisper_computes_like_the_reference) {
  for (const DType dtype : {DType::kFloat32, DType::kBFloat16}) {
    for (const TableCase& table : golden::tables(dtype)) {
      const std::unique_ptr<Backend> backend = create(table);
      const std::unique_ptr<Model> model = load_model(golden::root() / "whisper" / "model", *backend, {});
      Summary summary;
      for (const WhisperWindow& window : golden::all_whisper_windows()) {
        WindowRunner(*model, *backend, window, summary).run();
      }
      CHECK(summary.num_steps > 0);
      CHECK(100 * summary.num_agreeing >= 95 * summary.num_steps);
      std::printf("     on %s: worst difference %.1e encoder, %.1e hidden, %.1e logits; %d of %d tokens\n",
                  describe(*backend).c_str(), summary.encoder, summary.hidden, summary.logits, summary.num_agreeing,
                  summary.num_steps);
    }
  }
}

TEST(whisper_answers_like_the_reference_in_any_company) {
  std::vector<WhisperWindow> windows = golden::all_whisper_windows();
  const size_t num_distinct = windows.size();
  for (size_t i = 0; windows.size() < 6; ++i) windows.push_back(WhisperWindow(windows[i % num_distinct]));
  for (const TableCase& table : golden::tables(DType::kFloat32)) {
    int64_t num_preemptions = 0;
    for (const auto& [budget, num_blocks] : {std::pair{2048, 2000}, {5, 2000}, {2048, 287}}) {
      const auto harness = golden::make_engine("whisper", table, options_with(budget, num_blocks));
      for (size_t i = 0; i < windows.size(); ++i) harness->engine->submit(request_of(windows[i], i));
      for (size_t i = 0; i < windows.size(); ++i) check_answer(harness->wait(i), windows[i]);
      CHECK_EQ(harness->engine->stats().num_used_blocks, 0);
      num_preemptions += harness->engine->stats().num_preemptions;
    }
    CHECK(num_preemptions > 0);
    std::printf("     on %s: %lld preemptions\n", table.isa.c_str(), static_cast<long long>(num_preemptions));
  }
}

TEST(continuations_share_what_they_hear) {
  const std::vector<WhisperWindow> windows = golden::all_whisper_windows();
  const auto harness = golden::make_engine("whisper", {"generic", false, DType::kFloat32}, options_with(2048, 110));
  EngineRequest request = request_of(windows.front(), 1);
  request.sampling.n = 3;
  harness->engine->submit(request);
  for (int32_t index = 0; index < 3; ++index) check_answer(harness->wait(1, index), windows.front());
  CHECK_EQ(harness->engine->stats().num_used_blocks, 0);
}

TEST(a_window_is_encoded_once_for_all_that_hear_it) {
  const std::vector<WhisperWindow> windows = golden::all_whisper_windows();
  const auto harness = golden::make_engine("whisper", {"generic", false, DType::kFloat32}, options_with(2048, 400));
  check_answer(harness->run(request_of(windows.front(), 1)), windows.front());
  check_answer(harness->run(request_of(windows.front(), 2)), windows.front());
  CHECK_EQ(harness->engine->stats().encoder_queries, int64_t{2});
  CHECK_EQ(harness->engine->stats().encoder_hits, int64_t{1});
}

TEST(requests_that_an_encoder_decoder_model_cannot_hear_are_refused) {
  const WhisperWindow window = golden::all_whisper_windows().front();
  const auto harness = golden::make_engine("whisper", {"generic", false, DType::kFloat32}, options_with(2048, 200));
  EngineRequest silent = request_of(window, 1);
  silent.media.clear();
  CHECK_THROWS(harness->engine->submit(silent), ErrorCode::kInvalidArgument);
  EngineRequest twice = request_of(window, 2);
  twice.media.push_back(twice.media.front());
  CHECK_THROWS(harness->engine->submit(twice), ErrorCode::kInvalidArgument);
  EngineRequest placed = request_of(window, 3);
  placed.media.front().runs.push_back({0, 1});
  CHECK_THROWS(harness->engine->submit(placed), ErrorCode::kInvalidArgument);
  auto clipped = std::make_shared<ProcessedMedia>();
  clipped->modality = Modality::kAudio;
  clipped->features = Tensor({100, 80});
  clipped->num_sound_frames = 100;
  EngineRequest small = request_of(window, 4);
  small.media.front().media = clipped;
  CHECK_THROWS(harness->engine->submit(small), ErrorCode::kInvalidMedia);
  bool is_refused = false;
  try {
    golden::make_engine("whisper", {"generic", false, DType::kFloat32}, options_with(2048, 94));
  } catch (const Error& error) {
    is_refused = error.code() == ErrorCode::kInvalidArgument;
  }
  CHECK(is_refused);
}

TEST(only_allowed_tokens_are_chosen_and_logprobs_stay_those_of_all) {
  for (const WhisperWindow& window : golden::all_whisper_windows()) {
    if (!window.tensors->has("language_logits")) continue;
    const auto harness = golden::make_engine("whisper", {"generic", false, DType::kFloat32}, options_with(2048, 200));
    EngineRequest request = request_of(window, 1);
    request.prompt_ids.resize(1);
    request.sampling.rules = {};
    request.sampling.max_tokens = 1;
    for (int32_t id = 459; id <= 467; ++id) request.sampling.allowed_ids.push_back(id);
    const Answer answer = harness->run(request);
    const std::vector<float> logits = window.tensors->get<float>("sot_logits");
    double sum = 0;
    for (const float logit : logits) sum += std::exp(static_cast<double>(logit));
    CHECK_EQ(answer.token_ids, window.prompt_ids[1] == 462 ? std::vector<int32_t>{462} : std::vector<int32_t>{});
    CHECK_NEAR(answer.logprobs[0].logprob, static_cast<double>(logits[462]) - std::log(sum), 5e-4);
  }
}
