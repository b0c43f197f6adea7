#pragma once

#include <cstdlib>
#include <string>
#include <vector>

#include "backend_testing.h"
#include "engine_testing.h"
#include "golden_case.h"

/// Engines over golden checkpoints, and golden cases as requests.
namespace golden {

inline std::vector<int32_t> eos_ids(const std::filesystem::path& model_folder) {
  const sensorium::Json config = sensorium::Json::parse_file((model_folder / "generation_config.json").string());
  const sensorium::Json* eos = config.find("eos_token_id");
  std::vector<int32_t> ids;
  if (eos != nullptr && eos->is_integer()) ids.push_back(static_cast<int32_t>(eos->as_int()));
  if (eos != nullptr && eos->is_array()) {
    for (const sensorium::Json& id : eos->as_array()) ids.push_back(static_cast<int32_t>(id.as_int()));
  }
  return ids;
}

/// Every table this machine can run, and the tiles' emulation; with SENSORIUM_BEST_TABLE_ONLY the best one alone.
inline std::vector<sensorium::testing::TableCase> tables(sensorium::DType dtype) {
  std::vector<sensorium::testing::TableCase> tables;
  if (std::getenv("SENSORIUM_BEST_TABLE_ONLY") != nullptr) return {{sensorium::available_isas().back(), false, dtype}};
  for (const std::string& isa : sensorium::available_isas()) tables.push_back({isa, false, dtype});
  tables.push_back({"amx", true, dtype});
  return tables;
}

inline std::unique_ptr<engine_testing::Harness> make_engine(const std::string& family,
                                                            const sensorium::testing::TableCase& table,
                                                            sensorium::EngineOptions options) {
  const std::filesystem::path folder = root() / family / "model";
  options.eos_token_ids = eos_ids(folder);
  auto backend = sensorium::testing::create(table);
  auto model = sensorium::load_model(folder, *backend, {});
  return std::make_unique<engine_testing::Harness>(std::move(backend), std::move(model), options);
}

inline sensorium::EngineRequest make_request(const Case& source, uint64_t id) {
  sensorium::EngineRequest request;
  request.id = id;
  request.prompt_ids = source.prompt_ids;
  request.media = source.media();
  for (sensorium::MediaItem& item : request.media) item.key = source.name + "/" + item.key;
  request.sampling.temperature = 0;
  request.sampling.max_tokens = static_cast<int32_t>(source.request.get_int("max_tokens", 0));
  request.sampling.repetition_penalty = static_cast<float>(source.request.get_double("repetition_penalty", 1));
  request.sampling.num_logprobs = 20;
  return request;
}

/// Cases whose processor output is stored whole.
inline std::vector<Case> runnable_cases(const std::string& family) {
  const PlaceholderIds ids = read_placeholder_ids(root() / family / "model");
  std::vector<Case> cases;
  for (const auto& folder : case_folders(family)) {
    Case loaded = load_case(folder, ids);
    const auto& items = loaded.items;
    if (std::all_of(items.begin(), items.end(), [](const CaseItem& item) { return item.has_features; })) {
      cases.push_back(std::move(loaded));
    }
  }
  return cases;
}

}  // namespace golden
