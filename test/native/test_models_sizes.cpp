// Every family at random sizes that no kernel likes: all tables agree, and neither chunks nor neighbours change a bit.

#include <algorithm>
#include <cstdlib>
#include <span>

#include "check.h"
#include "model_driver.h"
#include "tiny_senses.h"

using namespace sensorium;           // NOLINT(google-build-using-namespace)
using namespace sensorium::testing;  // NOLINT(google-build-using-namespace)

namespace {

/// Sanitizers look at every table and family, but not at as many sizes: they take ten times as long.
uint32_t num_rolls() { return std::getenv("SENSORIUM_BEST_TABLE_ONLY") == nullptr ? 3 : 1; }

constexpr int32_t kMaxDecoded = 4;

/// A model on one table, and what it makes of its media.
struct Loaded {
  std::unique_ptr<Backend> backend;
  std::unique_ptr<Model> model;
  std::vector<Tensor> rows;

  Loaded(const std::filesystem::path& folder, const TableCase& table, const std::vector<std::shared_ptr<ProcessedMedia>>& media)
      : backend(create(table, 1)), model(load_model(folder, *backend, {})) {
    Arena arena;
    for (const auto& item : media) rows.push_back(model->encode(*item, arena));
  }
};

int64_t placeholder_of(Modality modality) {
  return modality == Modality::kImage ? kImageId : modality == Modality::kVideo ? kVideoId : kAudioId;
}

/// Text, and each of the media with text behind it.
Prompt make_prompt(const Loaded& loaded, const TinyModel& tiny, uint32_t seed) {
  Dice dice(seed);
  Prompt prompt;
  std::vector<MediaItem> items;
  const auto add_text = [&](int64_t count) {
    for (int64_t i = 0; i < count; ++i) {
      prompt.ids.push_back(static_cast<int32_t>(dice.from(kNumPlaceholders, tiny.vocab_size - 1)));
    }
  };
  add_text(dice.from(1, 30));
  const bool hears_across = loaded.model->info().num_cross_rows > 0;
  for (size_t i = 0; i < tiny.media.size() && !hears_across; ++i) {
    MediaItem item;
    item.media = tiny.media[i];
    const Tensor& rows = loaded.rows[i];
    const bool is_split = tiny.splits_videos && tiny.media[i]->modality == Modality::kVideo;
    const int64_t num_runs = is_split ? tiny.media[i]->grid_t : 1, count = rows.shape()[0] / num_runs;
    for (int64_t r = 0; r < num_runs; ++r) {
      const TokenRun run{static_cast<int32_t>(prompt.ids.size()), static_cast<int32_t>(count)};
      const float* values = rows.data() + r * count * rows.shape()[1];
      item.runs.push_back(run);
      prompt.media_rows.push_back({run, {values, values + count * rows.shape()[1]}});
      prompt.ids.insert(prompt.ids.end(), static_cast<size_t>(count),
                        static_cast<int32_t>(placeholder_of(tiny.media[i]->modality)));
      add_text(dice.from(1, 5));
    }
    items.push_back(std::move(item));
  }
  if (hears_across) prompt.cross_rows.assign(loaded.rows[0].data(), loaded.rows[0].data() + loaded.rows[0].size());
  prompt.positions = loaded.model->positions(prompt.ids, items);
  return prompt;
}

int32_t best_of(const std::vector<float>& logits) {
  return static_cast<int32_t>(std::max_element(logits.begin(), logits.end()) - logits.begin());
}

/// Logits behind the prompt and behind each token decoded from there; at most `chunk` prompt tokens a step.
std::vector<std::vector<float>> run(const Loaded& loaded, const Prompt& prompt, int32_t chunk) {
  const auto length = static_cast<int64_t>(prompt.ids.size());
  Driver driver(*loaded.model, *loaded.backend, length + kMaxDecoded);
  Sequence sequence = driver.start(prompt);
  std::vector<std::vector<float>> logits{driver.prefill(sequence, chunk)};
  for (int32_t i = 0; i < kMaxDecoded; ++i) {
    sequence.ids.push_back(best_of(logits.back()));
    logits.push_back(driver.decode(sequence));
  }
  return logits;
}

/// Logits behind two prompts that go through the same steps.
std::vector<std::vector<float>> run_together(const Loaded& loaded, const Prompt& first, const Prompt& second, Dice& dice) {
  const auto length_of = [](const Sequence& sequence) { return static_cast<int32_t>(sequence.prompt->ids.size()); };
  Driver driver(*loaded.model, *loaded.backend, static_cast<int64_t>(std::max(first.ids.size(), second.ids.size())), 2);
  std::array<Sequence, 2> sequences{driver.start(first), driver.start(second)};
  std::vector<std::vector<float>> logits(2);
  const int64_t vocab_size = loaded.model->info().vocab_size;
  for (;;) {
    std::vector<Sequence*> active;
    std::vector<int32_t> counts;
    for (Sequence& sequence : sequences) {
      const int32_t left = length_of(sequence) - sequence.num_done;
      if (left == 0) continue;
      active.push_back(&sequence);
      counts.push_back(std::min(left, static_cast<int32_t>(dice.from(1, 25))));
    }
    if (active.empty()) return logits;
    const std::vector<float> output = driver.step(active, counts);
    for (size_t i = 0; i < active.size(); ++i) {
      const auto begin = output.begin() + static_cast<int64_t>(i) * vocab_size;
      logits[active[i] == sequences.data() ? 0 : 1].assign(begin, begin + vocab_size);
    }
  }
}

bool are_finite(std::span<const float> values) {
  return std::all_of(values.begin(), values.end(), [](float value) { return std::isfinite(value); });
}

double cosine(std::span<const float> a, std::span<const float> b) {
  double ab = 0, aa = 0, bb = 0;
  for (size_t i = 0; i < a.size(); ++i) {
    ab += static_cast<double>(a[i]) * b[i];
    aa += static_cast<double>(a[i]) * a[i];
    bb += static_cast<double>(b[i]) * b[i];
  }
  return ab / std::sqrt(aa * bb);
}

/// Largest difference, relative to the largest value where that is above 1.
double difference(std::span<const float> a, std::span<const float> b) {
  double largest = 0, scale = 1;
  for (size_t i = 0; i < a.size(); ++i) {
    largest = std::max(largest, std::fabs(static_cast<double>(a[i]) - b[i]));
    scale = std::max(scale, std::fabs(static_cast<double>(a[i])));
  }
  return largest / scale;
}

std::span<const float> values_of(const Tensor& tensor) { return {tensor.data(), static_cast<size_t>(tensor.size())}; }

void check_steps(const Loaded& loaded, const TinyModel& tiny, Dice& dice) {
  const Prompt prompt = make_prompt(loaded, tiny, 1), other = make_prompt(loaded, tiny, 2);
  const auto whole = run(loaded, prompt, 1 << 20);
  for (const auto& logits : whole) CHECK(are_finite(logits));
  CHECK(run(loaded, prompt, 1) == whole);
  CHECK(run(loaded, prompt, static_cast<int32_t>(dice.from(2, 40))) == whole);
  const auto together = run_together(loaded, prompt, other, dice);
  CHECK(together[0] == whole[0]);
  CHECK(together[1] == run(loaded, other, 1 << 20)[0]);
}

std::vector<TableCase> bfloat16_tables() {
  std::vector<TableCase> tables{{"amx", true, DType::kBFloat16}};
  for (const std::string& isa : available_isas()) tables.push_back({isa, false, DType::kBFloat16});
  if (has_dots()) tables.push_back({"avx512", false, DType::kBFloat16, true});
  return tables;
}

/// What `exact` makes of its media and of a prompt, and what another table makes of them.
void compare(const Loaded& exact, const Loaded& loaded, const TinyModel& tiny, bool is_exact) {
  for (size_t i = 0; i < exact.rows.size(); ++i) {
    CHECK(exact.rows[i].shape() == loaded.rows[i].shape());
    CHECK(are_finite(values_of(loaded.rows[i])));
    if (is_exact) CHECK_NEAR(difference(values_of(exact.rows[i]), values_of(loaded.rows[i])), 0.0, 1e-4);
    if (!is_exact) CHECK_NEAR(cosine(values_of(exact.rows[i]), values_of(loaded.rows[i])), 1.0, 0.02);
  }
  const std::vector<float> expected = run(exact, make_prompt(exact, tiny, 1), 1 << 20)[0];
  const std::vector<float> found = run(loaded, make_prompt(loaded, tiny, 1), 1 << 20)[0];
  if (is_exact) CHECK_NEAR(difference(expected, found), 0.0, 2e-4);
  // A router that rounds may choose other experts.
  if (!is_exact && tiny.config.find("num_experts") == std::string::npos) CHECK_NEAR(cosine(expected, found), 1.0, 0.03);
}

void check_family(const std::string& name, TinyModel (*roll)(Dice& dice)) {
  for (uint32_t seed = 1; seed <= num_rolls(); ++seed) {
    Dice dice(seed * 7919 + static_cast<uint32_t>(name.size()));
    const TinyModel tiny = roll(dice);
    const TemporaryFolder folder;
    write_file(folder.path() / "config.json", tiny.config);
    write_safetensors(folder.path() / "model.safetensors", tiny.tensors);
    const bool had_failed = check::has_failed();
    check::has_failed() = false;
    try {
      const Loaded exact(folder.path(), {"generic", false, DType::kFloat32}, tiny.media);
      check_steps(exact, tiny, dice);
      for (const std::string& isa : available_isas()) {
        if (isa == "generic") continue;
        const Loaded loaded(folder.path(), {isa, false, DType::kFloat32}, tiny.media);
        compare(exact, loaded, tiny, true);
        check_steps(loaded, tiny, dice);
      }
      for (const TableCase& table : bfloat16_tables()) {
        const Loaded loaded(folder.path(), table, tiny.media);
        compare(exact, loaded, tiny, false);
        check_steps(loaded, tiny, dice);
      }
    } catch (const std::exception& error) {
      check::fail(__FILE__, __LINE__, error.what());
    }
    if (check::has_failed()) std::fprintf(stderr, "  %s, roll %u: %s\n", name.c_str(), seed, tiny.config.c_str());
    check::has_failed() = check::has_failed() || had_failed;
  }
}

}  // namespace

TEST(language_models_of_odd_sizes) {
  check_family("qwen2", [](Dice& dice) { return roll_language_model(dice, "Qwen2ForCausalLM"); });
  check_family("llama", [](Dice& dice) { return roll_language_model(dice, "LlamaForCausalLM"); });
  check_family("mistral", [](Dice& dice) { return roll_language_model(dice, "MistralForCausalLM"); });
  check_family("phi3", [](Dice& dice) { return roll_language_model(dice, "Phi3ForCausalLM"); });
  check_family("qwen3", [](Dice& dice) { return roll_language_model(dice, "Qwen3ForCausalLM"); });
  check_family("qwen3_moe", [](Dice& dice) { return roll_language_model(dice, "Qwen3MoeForCausalLM"); });
}

TEST(models_that_see_of_odd_sizes) {
  check_family("qwen2_vl", roll_qwen2_vl);
  check_family("qwen2_5_vl", roll_qwen2_5_vl);
  check_family("qwen3_vl", [](Dice& dice) { return roll_qwen3_vl(dice, false); });
  check_family("qwen3_vl_moe", [](Dice& dice) { return roll_qwen3_vl(dice, true); });
  check_family("llava", roll_llava);
  check_family("llava_onevision", roll_llava_onevision);
  check_family("phi3_v", roll_phi3_v);
  check_family("minicpm_v", roll_minicpm_v);
}

TEST(models_that_hear_of_odd_sizes) {
  check_family("qwen2_audio", roll_qwen2_audio);
  check_family("ultravox", roll_ultravox);
  check_family("qwen2_5_omni", roll_qwen2_5_omni);
  check_family("qwen3_omni_moe", roll_qwen3_omni);
  check_family("whisper", roll_whisper);
}
