#include <fstream>

#include "core/error.h"
#include "models/family.h"
#include "models/llama/llama.h"
#include "models/mistral/mistral.h"
#include "models/multimodal_lm.h"
#include "models/ultravox/audio_tower.h"

namespace sensorium {
namespace {

TextConfig text_defaults(const ConfigSection& text) {
  const std::string model_type = text.text({"model_type"}, "llama");
  if (model_type == "llama") return llama_text_defaults();
  if (model_type == "mistral") return mistral_text_defaults();
  text.fail_unsupported("model_type", "a language model of type \"" + model_type + "\" is not supported under Ultravox " +
                                          "(supported: llama, mistral)");
}

/// In the language model's own folder; where there is none, in `text_config`.
ConfigSection text_section(const LoadRequest& request) {
  return request.companion.empty() ? request.config.section("text_config") : ConfigSection::read(request.companion);
}

/// Folder of a model in the Hub's cache: `cache`/models--org--name/snapshots/<what refs/main names>; empty: it is not there.
std::filesystem::path find_snapshot(const std::filesystem::path& cache, const std::string& id) {
  std::string name = "models--";
  for (const char character : id) name += character == '/' ? "--" : std::string(1, character);
  const std::filesystem::path model = cache / name;
  std::ifstream reference(model / "refs" / "main");
  std::string revision;
  // A revision is the name of a folder, never a way to one.
  if (!(reference >> revision) || revision.find_first_of("/\\") != std::string::npos || revision == "..") return {};
  return model / "snapshots" / revision;
}

}  // namespace

std::filesystem::path find_ultravox_text_model(const ConfigSection& config, const std::filesystem::path& folder) {
  const std::filesystem::path id = config.text({"text_model_id"}, "");
  // A folder may be named with a slash at its end.
  const std::filesystem::path around = folder.has_filename() ? folder.parent_path() : folder.parent_path().parent_path();
  std::vector<std::filesystem::path> candidates{folder / "text_model", around / "text_model"};
  if (id.has_filename()) candidates.push_back(around / id.filename());
  if (around.filename() == "snapshots") candidates.push_back(find_snapshot(around.parent_path().parent_path(), id.string()));
  std::error_code ignored;  // an unreadable folder counts as none
  for (const std::filesystem::path& candidate : candidates) {
    if (std::filesystem::exists(candidate / "config.json", ignored)) return candidate;
  }
  return {};
}

std::unique_ptr<Model> load_ultravox(LoadRequest request) {
  if (!request.loader.has("model.embed_tokens.weight")) {
    request.config.fail("text_model_id", "the checkpoint holds no language model; put the folder of \"" +
                                             request.config.text({"text_model_id"}, "") +
                                             "\" beside or inside this one as \"text_model\"");
  }
  const ConfigSection section = text_section(request);
  const TextConfig text = read_text_config(section, text_defaults(section));
  const UltravoxConfig audio = read_ultravox_config(request.config, text.hidden_size);
  TextDecoder decoder(text, request.loader);
  auto tower = std::make_unique<UltravoxAudioTower>(audio, request.loader);
  ModelInfo info = finish_info(std::move(request.info), text, request.loader);
  info.has_audio = true;
  return std::make_unique<MultimodalLm>(std::move(decoder), std::move(info), std::nullopt,
                                        MultimodalLm::Encoders{nullptr, std::move(tower)});
}

}  // namespace sensorium
