#include <algorithm>

#include "core/error.h"
#include "models/family.h"
#include "models/tensor_names.h"

namespace sensorium {
namespace {

/// A tensor of every language model.
constexpr std::string_view kLanguageModelMark = "model.embed_tokens.weight";

const std::vector<ModelFamily>& families() {
  static const std::vector<ModelFamily> all{
      {"qwen2", {"Qwen2ForCausalLM"}, {"qwen2"}, load_qwen2},
      {"llama", {"LlamaForCausalLM"}, {"llama"}, load_llama},
      {"llava", {"LlavaForConditionalGeneration"}, {"llava"}, load_llava},
      {"llava_onevision", {"LlavaOnevisionForConditionalGeneration"}, {"llava_onevision"}, load_llava_onevision},
      {"phi3_v", {"Phi3VForCausalLM"}, {"phi3_v"}, load_phi3_v},
      {"minicpm_v", {"MiniCPMV"}, {"minicpmv"}, load_minicpm_v},
      {"mistral", {"MistralForCausalLM"}, {"mistral"}, load_mistral},
      {"phi3", {"Phi3ForCausalLM"}, {"phi3"}, load_phi3},
      {"qwen3", {"Qwen3ForCausalLM"}, {"qwen3"}, load_qwen3},
      {"qwen3_moe", {"Qwen3MoeForCausalLM"}, {"qwen3_moe"}, load_qwen3_moe},
      {"qwen2_vl", {"Qwen2VLForConditionalGeneration"}, {"qwen2_vl"}, load_qwen2_vl},
      {"qwen2_5_vl", {"Qwen2_5_VLForConditionalGeneration"}, {"qwen2_5_vl"}, load_qwen2_5_vl},
      {"qwen3_vl", {"Qwen3VLForConditionalGeneration"}, {"qwen3_vl"}, load_qwen3_vl},
      {"qwen3_vl_moe", {"Qwen3VLMoeForConditionalGeneration"}, {"qwen3_vl_moe"}, load_qwen3_vl_moe},
      {"qwen2_5_omni",
       {"Qwen2_5OmniModel", "Qwen2_5OmniForConditionalGeneration", "Qwen2_5OmniThinkerForConditionalGeneration"},
       {"qwen2_5_omni", "qwen2_5_omni_thinker"},
       load_qwen2_5_omni},
      {"qwen2_audio", {"Qwen2AudioForConditionalGeneration"}, {"qwen2_audio"}, load_qwen2_audio},
      {"ultravox", {"UltravoxModel"}, {"ultravox"}, load_ultravox, find_ultravox_text_model},
      {"qwen3_omni_moe",
       {"Qwen3OmniMoeForConditionalGeneration", "Qwen3OmniMoeThinkerForConditionalGeneration"},
       {"qwen3_omni_moe", "qwen3_omni_moe_thinker"},
       load_qwen3_omni},
      {"whisper", {"WhisperForConditionalGeneration"}, {"whisper"}, load_whisper},
  };
  return all;
}

bool contains(const std::vector<std::string_view>& names, std::string_view name) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

[[noreturn]] void refuse(const std::string& found) {
  std::string supported;
  for (const std::string& name : supported_architectures()) supported += (supported.empty() ? "" : ", ") + name;
  throw Error(ErrorCode::kUnsupportedArchitecture, found + " is not supported (supported: " + supported + ")");
}

/// The family that architectures[0] names, or model_type where there are no architectures.
std::pair<const ModelFamily*, std::string> find_family(const ConfigSection& config) {
  const std::vector<std::string> architectures = config.texts("architectures");
  const std::string model_type = config.text({"model_type"}, "");
  for (const ModelFamily& family : families()) {
    if (architectures.empty() ? contains(family.model_types, model_type) : contains(family.architectures, architectures[0])) {
      return {&family, architectures.empty() ? std::string(family.architectures.front()) : architectures[0]};
    }
  }
  if (architectures.empty()) refuse("model_type \"" + model_type + "\"");
  refuse("architecture " + architectures[0]);
}

void refuse_quantization(const ConfigSection& config) {
  for (const ConfigSection& section : {config, config.section("text_config"), config.section("thinker_config")}) {
    if (!section.has("quantization_config")) continue;
    section.fail_unsupported("quantization_config",
                             "quantised checkpoints are not supported; use the float32, bfloat16 or "
                             "float16 checkpoint of this model");
  }
}

}  // namespace

std::vector<std::string> supported_architectures() {
  std::vector<std::string> names;
  for (const ModelFamily& family : families())
    names.insert(names.end(), family.architectures.begin(), family.architectures.end());
  return names;
}

std::filesystem::path find_companion(const std::filesystem::path& folder) {
  try {
    const ConfigSection config = ConfigSection::read(folder);
    const ModelFamily* family = find_family(config).first;
    return family->find_companion == nullptr ? std::filesystem::path() : family->find_companion(config, folder);
  } catch (const Error&) {
    return {};  // loading says what is wrong
  }
}

std::unique_ptr<Model> load_model(const std::filesystem::path& folder, Backend& backend, const LoadProgress& progress,
                                  std::vector<std::string>* unread_tensors, std::filesystem::path companion) {
  const ConfigSection config = ConfigSection::read(folder);
  const auto [family, architecture] = find_family(config);
  refuse_quantization(config);
  Checkpoint checkpoint = Checkpoint::open(folder, normalized_tensor_name);
  // An adapter that was saved together with its language model needs no other folder.
  const bool needs_companion = family->find_companion != nullptr && !checkpoint.has(kLanguageModelMark);
  if (!needs_companion) companion.clear();
  if (needs_companion && companion.empty()) companion = family->find_companion(config, folder);
  if (!companion.empty()) checkpoint.add_folder(companion, normalized_tensor_name);
  WeightLoader loader(checkpoint, backend, progress);
  ModelInfo info;
  info.architecture = architecture;
  info.family = family->name;
  std::unique_ptr<Model> model = family->load({config, loader, std::move(info), companion});
  if (unread_tensors != nullptr) *unread_tensors = checkpoint.unread();
  if (progress) progress(checkpoint.total_bytes(), checkpoint.total_bytes());
  return model;
}

ModelInfo finish_info(ModelInfo info, const TextConfig& config, const WeightLoader& loader) {
  info.vocab_size = config.vocab_size;
  info.hidden_size = config.hidden_size;
  info.embedding_width = embedding_width(config);
  info.num_layers = config.num_layers;
  info.num_kv_heads = config.heads.num_kv_heads;
  info.head_dim = config.heads.head_dim;
  info.max_position_embeddings = config.max_position_embeddings;
  if (config.rotary.scaling == RotaryScaling::kLongRope) {
    info.short_context = static_cast<int64_t>(config.rotary.original_max_position);
  }
  info.num_parameters = loader.totals().num_parameters;
  info.weight_bytes = loader.totals().resident_bytes;
  return info;
}

}  // namespace sensorium
