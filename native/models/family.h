#pragma once

#include <memory>
#include <string_view>
#include <vector>

#include "layers/weight_loader.h"
#include "models/config_section.h"
#include "models/model.h"
#include "models/text/text_config.h"

namespace sensorium {

/// A checkpoint about to be loaded: its config.json and its tensors under normalised names.
struct LoadRequest {
  const ConfigSection& config;
  WeightLoader& loader;
  ModelInfo info;                   ///< architecture and family are set; the family fills in the rest
  std::filesystem::path companion;  ///< folder whose tensors are among the loader's too; empty: none
};

/// One line of the registry.
struct ModelFamily {
  std::string_view name;
  std::vector<std::string_view> architectures;  ///< values of config.json's architectures[0]
  std::vector<std::string_view> model_types;    ///< values of model_type, where there are no architectures
  std::unique_ptr<Model> (*load)(LoadRequest request);
  /// Folder beside `folder` that holds the rest of the checkpoint's tensors; empty: none. Absent: the family has no such.
  std::filesystem::path (*find_companion)(const ConfigSection& config, const std::filesystem::path& folder) = nullptr;
};

// One a family, in its folder. Each throws kInvalidCheckpoint or kUnsupportedArchitecture.
std::unique_ptr<Model> load_llama(LoadRequest request);
std::unique_ptr<Model> load_llava(LoadRequest request);
std::unique_ptr<Model> load_llava_onevision(LoadRequest request);
std::unique_ptr<Model> load_phi3_v(LoadRequest request);
std::unique_ptr<Model> load_minicpm_v(LoadRequest request);
std::unique_ptr<Model> load_mistral(LoadRequest request);
std::unique_ptr<Model> load_phi3(LoadRequest request);
std::unique_ptr<Model> load_qwen2(LoadRequest request);
std::unique_ptr<Model> load_qwen3(LoadRequest request);
std::unique_ptr<Model> load_qwen3_moe(LoadRequest request);
std::unique_ptr<Model> load_qwen2_vl(LoadRequest request);
std::unique_ptr<Model> load_qwen2_5_vl(LoadRequest request);
std::unique_ptr<Model> load_qwen2_5_omni(LoadRequest request);
std::unique_ptr<Model> load_qwen3_vl(LoadRequest request);
std::unique_ptr<Model> load_qwen3_vl_moe(LoadRequest request);
std::unique_ptr<Model> load_qwen3_omni(LoadRequest request);
std::unique_ptr<Model> load_qwen2_audio(LoadRequest request);
std::unique_ptr<Model> load_ultravox(LoadRequest request);
std::unique_ptr<Model> load_whisper(LoadRequest request);

/// The language model of an Ultravox checkpoint: `text_model` inside or beside its folder, a folder beside it that is named
/// like its text_model_id, or that model in the Hub's cache where the checkpoint lies in it too.
std::filesystem::path find_ultravox_text_model(const ConfigSection& config, const std::filesystem::path& folder);

/// Fills in what follows from the language model's config and the loader's totals.
ModelInfo finish_info(ModelInfo info, const TextConfig& config, const WeightLoader& loader);

}  // namespace sensorium
