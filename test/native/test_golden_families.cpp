// Whole families against the reference: positions, encoders, hidden states, logits and greedy tokens, on every table.

#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <numeric>

#include "backend_testing.h"
#include "check.h"
#include "core/error.h"
#include "golden_case.h"
#include "model_driver.h"

using namespace sensorium;           // NOLINT(google-build-using-namespace)
using namespace sensorium::testing;  // NOLINT(google-build-using-namespace)

namespace {

/// Tolerances of the manifests (equal in all families). Encoders are held tighter than theirs, 1e-4: a wrong epsilon of a norm
/// shows as 5e-5. A log-probability may be off by twice what a logit may.
struct Tolerance {
  double encoder, hidden, logits, logprobs, min_cosine, min_margin;
  double max_outliers;   ///< share of the rows that may be further off
  double min_agreement;  ///< share of the clear steps that choose the reference's token
};
/// bfloat16 numbers of a logit's size lie this far apart: a step is clear when the next token is further away.
constexpr double kClearMargin = 0.0625;
constexpr Tolerance kExact{3e-5, 1e-4, 3e-4, 5e-4, 0.999999, 0.0, 0.0, 1.0};
constexpr Tolerance kBFloat16{HUGE_VAL, HUGE_VAL, 0.6, 1.2, 0.997, 0.6, 0.0, 0.95};
/// Rounding sends a row to another expert where two are liked nearly the same; the reference's own rows take such turns too.
constexpr Tolerance kBFloat16Experts{HUGE_VAL, HUGE_VAL, 0.6, 1.2, 0.997, 0.6, 0.05, 0.95};

struct Worst {
  double difference = 0.0;
  double cosine = 1.0;
};

Worst compare_row(std::span<const float> found, std::span<const float> expected) {
  Worst worst;
  double dot = 0.0, found_square = 0.0, expected_square = 0.0;
  for (size_t i = 0; i < expected.size(); ++i) {
    const double a = found[i], b = expected[i];
    worst.difference = std::isfinite(a) ? std::max(worst.difference, std::fabs(a - b)) : HUGE_VAL;
    dot += a * b;
    found_square += a * a;
    expected_square += b * b;
  }
  worst.cosine = dot / std::sqrt(found_square * expected_square);
  return worst;
}

/// What a family's cases came to on one table.
struct Summary {
  int num_cases = 0;
  int num_unfed_items = 0;  ///< media whose input rows are neither stored nor made from a PNG
  int num_rows = 0, num_outliers = 0;
  int num_steps = 0, num_agreeing_steps = 0;
  Worst embeds, hidden, logits;
};

std::vector<float> rows_of(const std::vector<float>& matrix, const std::vector<int32_t>& rows, size_t width) {
  std::vector<float> result;
  for (const int32_t row : rows) {
    const auto begin = matrix.begin() + static_cast<std::ptrdiff_t>(static_cast<size_t>(row) * width);
    result.insert(result.end(), begin, begin + static_cast<std::ptrdiff_t>(width));
  }
  return result;
}

/// The reference keeps positions as [length] or [3, length].
void check_positions(const golden::Case& golden, const PromptPositions& positions) {
  const std::vector<float> expected = golden.tensors.numbers("position_ids");
  const std::vector<float> decoded = golden.tensors.numbers("decode_position_ids");
  const size_t length = golden.prompt_ids.size(), num_decoded = golden.generated_ids.size() - 1;
  const std::vector<float>* axes[] = {&positions.t, &positions.h, &positions.w};
  CHECK_EQ(expected.size() % length, size_t{0});
  for (size_t i = 0; i < expected.size(); ++i) {
    if ((*axes[i / length])[i % length] == expected[i]) continue;
    return check::fail(__FILE__, __LINE__, golden.name + ": position " + std::to_string(i));
  }
  for (size_t i = 0; i < decoded.size(); ++i) {
    CHECK_EQ(static_cast<float>(length + i % num_decoded) + positions.delta, decoded[i]);
  }
}

class CaseRunner {
 public:
  CaseRunner(Model& model, Backend& backend, const golden::Case& golden, const Tolerance& tolerance, Summary& summary)
      : model_(model),
        backend_(backend),
        golden_(golden),
        summary_(summary),
        tolerance_(tolerance),
        vocab_(static_cast<size_t>(model.info().vocab_size)) {}

  void run() {
    prompt_.ids = golden_.prompt_ids;
    prompt_.positions = model_.positions(prompt_.ids, golden_.media());
    check_positions(golden_, prompt_.positions);
    for (const golden::CaseItem& item : golden_.items) add_media(item);
    check_hidden();
    const std::vector<float> whole = check_generation();
    check_chunked(whole);
    check_batched(whole);
  }

 private:
  int32_t prompt_length() const { return static_cast<int32_t>(prompt_.ids.size()); }
  std::string label(const std::string& what) const {
    return golden_.name + " on " + std::string(backend_.name()) + ": " + what;
  }

  /// Encodes the item and compares; where its input is not known, the reference's encoder rows go on.
  void add_media(const golden::CaseItem& item) {
    const auto width = static_cast<size_t>(model_.info().embedding_width);
    std::vector<float> rows = golden::encoder_rows(golden_.tensors, item.embeds_name, width);
    if (item.has_features) {
      const Tensor encoded = model_.encode(*item.item.media, arena_);
      CHECK_EQ(model_.num_encoder_rows(*item.item.media), static_cast<int64_t>(rows.size() / width));
      const std::vector<float> found(encoded.data(), encoded.data() + encoded.size());
      check_close(label(item.embeds_name), found, rows, width, tolerance_.encoder, summary_.embeds);
      rows = found;
    } else {
      ++summary_.num_unfed_items;
    }
    size_t next = 0;
    for (const TokenRun& run : item.item.runs) {
      const auto begin = rows.begin() + static_cast<std::ptrdiff_t>(next);
      next += static_cast<size_t>(run.count) * width;
      prompt_.media_rows.push_back({run, {begin, rows.begin() + static_cast<std::ptrdiff_t>(next)}});
    }
    CHECK_EQ(next, rows.size());
  }

  void check_hidden() {
    Driver driver(model_, backend_, prompt_length());
    Sequence sequence = driver.start(prompt_);
    std::vector<float> found = driver.step(sequence, prompt_length(), true);
    const auto width = static_cast<size_t>(model_.info().hidden_size);
    if (golden_.tensors.has("last_hidden_state.rows")) {
      found = rows_of(found, golden_.tensors.get<int32_t>("last_hidden_state.rows"), width);
    }
    check_close(label("last_hidden_state"), found, golden_.tensors.get<float>("last_hidden_state"), width, tolerance_.hidden,
                summary_.hidden);
  }

  /// Feeds the reference's tokens back; returns the logits of the prompt's last token.
  std::vector<float> check_generation() {
    Driver driver(model_, backend_, prompt_length() + static_cast<int64_t>(golden_.generated_ids.size()));
    Sequence sequence = driver.start(prompt_);
    const std::vector<float> first = driver.prefill(sequence, prompt_length());
    check_close(label("logits_last"), first, golden_.tensors.get<float>("logits_last"), vocab_, tolerance_.logits,
                summary_.logits);
    std::vector<float> logits = first;
    for (size_t i = 0; i < golden_.generated_ids.size(); ++i) {
      check_step(i, logits, sequence.ids);
      sequence.ids.push_back(golden_.generated_ids[i]);
      if (i + 1 < golden_.generated_ids.size()) logits = driver.decode(sequence);
    }
    return first;
  }

  void check_step(size_t step, std::vector<float> logits, const std::vector<int32_t>& history) {
    const std::string where = label("step " + std::to_string(step));
    check_stored_logits(where, "gen_logits", step, logits);
    penalize(logits, history);
    check_stored_logits(where, "gen_logits_processed", step, logits);
    const double margin = golden_.expected.find("argmax_margin")->as_array()[step].as_double();
    const auto best = std::max_element(logits.begin(), logits.end()) - logits.begin();
    const bool is_equal = best == golden_.generated_ids[step];
    if (margin > kClearMargin) {
      ++summary_.num_steps;
      summary_.num_agreeing_steps += is_equal ? 1 : 0;
    }
    if (margin > tolerance_.min_margin && !is_equal) report(where + ": chose token " + std::to_string(best));
    check_logprobs(where, step, logits);
  }

  void check_stored_logits(const std::string& where, const std::string& name, size_t step, const std::vector<float>& logits) {
    if (!golden_.tensors.has(name)) return;
    const std::vector<float> stored = golden_.tensors.get<float>(name);
    if ((step + 1) * vocab_ > stored.size()) return;
    check_close(where + " " + name, logits, std::span(stored).subspan(step * vocab_, vocab_), vocab_, tolerance_.logits,
                summary_.logits);
  }

  void penalize(std::vector<float>& logits, std::vector<int32_t> history) const {
    const auto penalty = static_cast<float>(golden_.request.get_double("repetition_penalty", 1.0));
    std::sort(history.begin(), history.end());
    history.erase(std::unique(history.begin(), history.end()), history.end());
    for (const int32_t id : history) {
      float& logit = logits[static_cast<size_t>(id)];
      logit = logit > 0.0F ? logit / penalty : logit * penalty;
    }
  }

  void check_logprobs(const std::string& where, size_t step, const std::vector<float>& logits) {
    const double max = *std::max_element(logits.begin(), logits.end());
    const double sum = std::accumulate(logits.begin(), logits.end(), 0.0,
                                       [&](double total, float logit) { return total + std::exp(logit - max); });
    const std::vector<int32_t> ids = golden_.tensors.get<int32_t>("gen_top20_ids");
    const std::vector<float> expected = golden_.tensors.get<float>("gen_top20_logprobs");
    for (size_t i = step * 20; i < (step + 1) * 20; ++i) {
      const double found = logits[static_cast<size_t>(ids[i])] - max - std::log(sum);
      if (std::fabs(found - static_cast<double>(expected[i])) <= tolerance_.logprobs) continue;
      return report(where + ": logprob of token " + std::to_string(ids[i]));
    }
  }

  /// Compares rows of `width` values.
  void check_close(const std::string& what, std::span<const float> found, std::span<const float> expected, size_t width,
                   double tolerance, Worst& total) {
    if (found.size() != expected.size() || expected.empty()) {
      return check::fail(__FILE__, __LINE__, what + ": sizes differ or are 0");
    }
    for (size_t begin = 0; begin < expected.size(); begin += width, ++summary_.num_rows) {
      const Worst worst = compare_row(found.subspan(begin, width), expected.subspan(begin, width));
      total = {std::max(total.difference, worst.difference), std::min(total.cosine, worst.cosine)};
      if (worst.difference <= tolerance && worst.cosine >= tolerance_.min_cosine) continue;
      report(what + ": row " + std::to_string(begin / width) + ": max difference " + std::to_string(worst.difference) +
             ", cosine " + std::to_string(worst.cosine));
    }
  }

  void report(const std::string& what) {
    ++summary_.num_outliers;
    if (tolerance_.max_outliers == 0.0) check::fail(__FILE__, __LINE__, what);
  }

  /// A prompt that comes in pieces of 7 tokens gives the same bits.
  void check_chunked(const std::vector<float>& whole) {
    Driver driver(model_, backend_, prompt_length());
    Sequence sequence = driver.start(prompt_);
    if (driver.prefill(sequence, 7) != whole) check::fail(__FILE__, __LINE__, label("chunks change the logits"));
  }

  /// Two sequences in one step, the other one shorter and text only, give the same bits as alone.
  void check_batched(const std::vector<float>& whole) {
    Prompt other;
    other.ids.assign(prompt_.ids.begin(), prompt_.ids.begin() + std::min(prompt_length(), 11));
    other.positions = model_.positions(std::vector<int32_t>(11), {});
    Driver alone(model_, backend_, prompt_length());
    Sequence other_alone = alone.start(other);
    const std::vector<float> other_whole = alone.prefill(other_alone, prompt_length());

    Driver driver(model_, backend_, prompt_length(), 2);
    Sequence first = driver.start(other), second = driver.start(prompt_);
    Sequence* const both[] = {&first, &second};
    const int32_t counts[] = {static_cast<int32_t>(other.ids.size()), prompt_length()};
    const std::vector<float> logits = driver.step(both, counts);
    const auto middle = logits.begin() + static_cast<std::ptrdiff_t>(vocab_);
    if (std::vector<float>(logits.begin(), middle) != other_whole || std::vector<float>(middle, logits.end()) != whole) {
      check::fail(__FILE__, __LINE__, label("another sequence in the step changes the logits"));
    }
  }

  Model& model_;
  Backend& backend_;
  const golden::Case& golden_;
  Summary& summary_;
  Tolerance tolerance_;
  size_t vocab_;
  Prompt prompt_;
  Arena arena_;
};

/// Every table of this machine in both dtypes, and the tile table with emulated tiles; with SENSORIUM_BEST_TABLE_ONLY the
/// best one alone.
std::vector<TableCase> tables() {
  std::vector<TableCase> all;
  const bool is_best_only = std::getenv("SENSORIUM_BEST_TABLE_ONLY") != nullptr;
  for (const DType dtype : {DType::kFloat32, DType::kBFloat16}) {
    if (is_best_only) {
      all.push_back({available_isas().back(), false, dtype});
      continue;
    }
    for (const std::string& isa : available_isas()) all.push_back({isa, false, dtype});
    all.push_back({"amx", true, dtype});
  }
  return all;
}

void print(const std::string& family, const Backend& backend, const Summary& summary) {
  std::printf("     %s on %s: %d cases, worst difference %.1e encoder, %.1e hidden, %.1e logits; worst cosine %.6f; ",
              family.c_str(), describe(backend).c_str(), summary.num_cases, summary.embeds.difference,
              summary.hidden.difference, summary.logits.difference,
              std::min({summary.embeds.cosine, summary.hidden.cosine, summary.logits.cosine}));
  std::printf("%d of %d rows off, %d of %d clear steps agree\n", summary.num_outliers, summary.num_rows,
              summary.num_agreeing_steps, summary.num_steps);
  if (summary.num_unfed_items == 0) return;
  std::printf("       %d media items skip the encoder: only some of their input rows are stored, and no PNG\n",
              summary.num_unfed_items);
}

void check_shares(const std::string& label, const Tolerance& tolerance, const Summary& summary) {
  if (summary.num_outliers > tolerance.max_outliers * summary.num_rows) {
    check::fail(__FILE__, __LINE__, label + std::to_string(summary.num_outliers) + " rows are too far off");
  }
  if (summary.num_agreeing_steps < tolerance.min_agreement * summary.num_steps) {
    check::fail(__FILE__, __LINE__, label + std::to_string(summary.num_agreeing_steps) + " steps choose the reference's token");
  }
}

void run_family(const std::string& family) {
  const std::filesystem::path folder = golden::root() / family / "model";
  if (!std::filesystem::exists(folder)) {
    std::printf("     %s is not part of the goldens in %s\n", family.c_str(), golden::root().c_str());
    return;
  }
  const golden::PlaceholderIds ids = golden::read_placeholder_ids(folder);
  for (const TableCase& table : tables()) {
    std::unique_ptr<Backend> backend;
    try {
      backend = create(table);
    } catch (const Error& error) {
      if (error.code() != ErrorCode::kUnavailable) throw;
      std::printf("     skipped %s: %s\n", table.isa.c_str(), error.what());
      continue;
    }
    const std::unique_ptr<Model> model = load_model(folder, *backend, {});
    const bool has_experts = family.find("moe") != std::string::npos;
    const Tolerance& tolerance = table.dtype == DType::kFloat32 ? kExact : has_experts ? kBFloat16Experts : kBFloat16;
    Summary summary;
    for (const std::filesystem::path& path : golden::case_folders(family)) {
      const golden::Case golden = golden::load_case(path, ids);
      CaseRunner(*model, *backend, golden, tolerance, summary).run();
      ++summary.num_cases;
    }
    CHECK(summary.num_cases > 0);
    check_shares(family + " on " + describe(*backend) + ": ", tolerance, summary);
    print(family, *backend, summary);
  }
}

}  // namespace

TEST(qwen2) { run_family("qwen2"); }
TEST(llama) { run_family("llama"); }
TEST(mistral) { run_family("mistral"); }
TEST(phi3) { run_family("phi3"); }
TEST(llava) { run_family("llava"); }
TEST(llava_onevision) { run_family("llava_onevision"); }
TEST(phi3_v) { run_family("phi3_v"); }
TEST(minicpm_v) { run_family("minicpm_v"); }
TEST(qwen2_vl) { run_family("qwen2_vl"); }
TEST(qwen2_5_vl) { run_family("qwen2_5_vl"); }
TEST(qwen2_5_omni) { run_family("qwen2_5_omni"); }
TEST(qwen3) { run_family("qwen3"); }
TEST(qwen3_moe) { run_family("qwen3_moe"); }
TEST(qwen2_audio) { run_family("qwen2_audio"); }
TEST(ultravox) { run_family("ultravox"); }
TEST(qwen3_vl) { run_family("qwen3_vl"); }
TEST(qwen3_vl_moe) { run_family("qwen3_vl_moe"); }
TEST(qwen3_omni_moe) { run_family("qwen3_omni_moe"); }
