// Loading of speech families: folders that belong together, and configs and tensors that must be refused with a clear error.

#include <filesystem>

#include "backend_testing.h"
#include "check.h"
#include "checkpoint_writer.h"
#include "core/error.h"
#include "golden_tensors.h"
#include "models/model.h"
#include "weights/safetensors.h"

using namespace sensorium;           // NOLINT(google-build-using-namespace)
using namespace sensorium::testing;  // NOLINT(google-build-using-namespace)

namespace {

std::filesystem::path golden_model(const std::string& family) { return golden::root() / family / "model"; }

std::unique_ptr<Backend> exact_backend() { return create({"generic", false, DType::kFloat32}, 1); }

std::string read_file(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

/// An index of all tensors of some shards.
std::string weight_map(const std::vector<std::string>& shards, const std::filesystem::path& folder) {
  std::string entries;
  for (const std::string& shard : shards) {
    const SafetensorsFile file = SafetensorsFile::open(folder / shard);
    for (const auto& [name, tensor] : file.header().tensors) {
      entries += (entries.empty() ? "\"" : ",\"") + name + "\":\"" + shard + "\"";
    }
  }
  return "{\"weight_map\":{" + entries + "}}";
}

/// The family's golden checkpoint with `from` in its config.json replaced by `to`.
void write_changed(const std::string& family, const std::filesystem::path& folder, const std::string& from,
                   const std::string& to) {
  std::filesystem::create_directories(folder);
  std::string config = read_file(golden_model(family) / "config.json");
  const size_t at = config.find(from);
  CHECK(at != std::string::npos);
  if (at != std::string::npos) config.replace(at, from.size(), to);
  write_file(folder / "config.json", config);
  std::filesystem::create_symlink(golden_model(family) / "model.safetensors", folder / "model.safetensors");
}

/// What loading says; empty when it works.
std::string refusal_of(const std::filesystem::path& folder, ErrorCode expected) {
  const std::unique_ptr<Backend> backend = exact_backend();
  try {
    load_model(folder, *backend, {});
  } catch (const Error& error) {
    CHECK(error.code() == expected);
    return error.what();
  }
  return {};
}

void check_refused(const std::string& family, const std::string& from, const std::string& to,
                   const std::vector<std::string>& named, ErrorCode code = ErrorCode::kInvalidCheckpoint) {
  const TemporaryFolder folder;
  write_changed(family, folder.path() / "model", from, to);
  const std::string message = refusal_of(folder.path() / "model", code);
  for (const std::string& part : named) {
    if (message.find(part) == std::string::npos) {
      check::fail(__FILE__, __LINE__, family + ": \"" + message + "\" does not name " + part);
    }
  }
}

}  // namespace

TEST(tensors_that_do_not_fit_the_config_are_named_with_both_shapes) {
  check_refused("whisper", "\"vocab_size\": 1975", "\"vocab_size\": 1976",
                {"model.safetensors", "model.decoder.embed_tokens.weight", "[1975, 60]", "[1976, 60]"});
  check_refused("whisper", "\"num_mel_bins\": 80", "\"num_mel_bins\": 128", {"model.encoder.conv1.weight", "[60, 128, 3]"});
  check_refused("whisper", "\"decoder_layers\": 3", "\"decoder_layers\": 4",
                {"model.decoder.layers.3.self_attn_layer_norm.weight", "missing"});
  check_refused("whisper", "\"max_source_positions\": 1500", "\"max_source_positions\": 750",
                {"embed_positions.weight", "[1500, 60]", "[750, 60]"});
  check_refused("qwen2_audio", "\"encoder_ffn_dim\": 106", "\"encoder_ffn_dim\": 107", {"audio_tower.layers.0.fc1.weight"});
}

TEST(sizes_that_cannot_be_are_refused_by_key) {
  check_refused("whisper", "\"decoder_attention_heads\": 3", "\"decoder_attention_heads\": 7",
                {"config.json", "decoder_attention_heads"});
  check_refused("whisper", "\"encoder_attention_heads\": 3", "\"encoder_attention_heads\": 0", {"encoder_attention_heads"});
  check_refused("whisper", "\"activation_function\": \"gelu\"", "\"activation_function\": \"mystery\"",
                {"activation_function", "mystery"}, ErrorCode::kUnsupportedArchitecture);
  check_refused("qwen2_audio", "\"d_model\": 60", "\"d_model\": 3", {"d_model"});
}

TEST(an_adapter_without_its_language_model_says_what_is_missing) {
  check_refused("ultravox", "\"stack_factor\": 8", "\"stack_factor\": 8",
                {"text_model_id", "meta-llama/Llama-3.2-1B-Instruct", "text_model"});
}

TEST(the_language_model_of_an_adapter_is_found_inside_beside_and_in_the_hubs_cache) {
  const std::filesystem::path text = golden::root() / "ultravox" / "text_model";
  for (const std::string place : {"model/text_model", "text_model", "Llama-3.2-1B-Instruct"}) {
    const TemporaryFolder folder;
    write_changed("ultravox", folder.path() / "model", "\"stack_factor\": 8", "\"stack_factor\": 8");
    std::filesystem::create_directory_symlink(text, folder.path() / place);
    CHECK_EQ(find_companion(folder.path() / "model"), folder.path() / place);
    CHECK_EQ(refusal_of(folder.path() / "model", ErrorCode::kInternal), std::string());
  }
  const TemporaryFolder hub;
  const std::filesystem::path model = hub.path() / "models--fixie-ai--ultravox" / "snapshots" / "abc";
  const std::filesystem::path llama = hub.path() / "models--meta-llama--Llama-3.2-1B-Instruct";
  write_changed("ultravox", model, "\"stack_factor\": 8", "\"stack_factor\": 8");
  CHECK_EQ(find_companion(model), std::filesystem::path());
  std::filesystem::create_directories(llama / "refs");
  std::filesystem::create_directories(llama / "snapshots");
  write_file(llama / "refs" / "main", "def");
  std::filesystem::create_directory_symlink(text, llama / "snapshots" / "def");
  CHECK_EQ(find_companion(model), llama / "snapshots" / "def");
}

TEST(an_adapter_saved_with_its_language_model_needs_no_other_folder) {
  const TemporaryFolder folder;
  const std::filesystem::path whole = folder.path() / "model";
  const std::string text_config = read_file(golden::root() / "ultravox" / "text_model" / "config.json");
  write_changed("ultravox", whole, "\"stack_factor\": 8", "\"stack_factor\": 8, \"text_config\": " + text_config);
  std::filesystem::remove(whole / "model.safetensors");
  const std::filesystem::path text = golden::root() / "ultravox" / "text_model";
  std::filesystem::create_symlink(golden_model("ultravox") / "model.safetensors", whole / "adapter.safetensors");
  std::filesystem::create_symlink(text / "model.safetensors", whole / "language.safetensors");
  write_file(whole / "model.safetensors.index.json", weight_map({"adapter.safetensors", "language.safetensors"}, whole));
  // One that would not fit must not be looked at.
  std::filesystem::create_directory_symlink(golden_model("qwen2_audio"), folder.path() / "text_model");
  CHECK_EQ(refusal_of(whole, ErrorCode::kInternal), std::string());
}

TEST(other_families_have_no_companion) {
  CHECK_EQ(find_companion(golden_model("whisper")), std::filesystem::path());
  CHECK_EQ(find_companion("/nowhere"), std::filesystem::path());
}

TEST(a_projector_that_does_not_fit_the_language_model_is_refused) {
  const TemporaryFolder folder;
  write_changed("ultravox", folder.path() / "model", "\"hidden_size\": 96", "\"hidden_size\": 98");
  std::filesystem::create_directory_symlink(golden::root() / "ultravox" / "text_model", folder.path() / "text_model");
  const std::string message = refusal_of(folder.path() / "model", ErrorCode::kInvalidCheckpoint);
  CHECK(message.find("multi_modal_projector.linear_1.weight") != std::string::npos);
}

TEST(sounds_that_a_family_cannot_hear_are_refused) {
  const std::unique_ptr<Backend> backend = exact_backend();
  const std::unique_ptr<Model> model = load_model(golden_model("qwen2_audio"), *backend, {});
  ProcessedMedia media;
  media.modality = Modality::kAudio;
  const auto refuses = [&](int64_t num_frames, int64_t num_bins, int32_t num_sound_frames) {
    media.features = Tensor({num_frames, num_bins});
    media.num_sound_frames = num_sound_frames;
    CHECK_THROWS(model->num_encoder_rows(media), ErrorCode::kInvalidMedia);
  };
  refuses(100, 80, 98);
  refuses(100, 128, 0);
  refuses(100, 128, 101);
  refuses(3001, 128, 3000);
  refuses(4, 128, 2);
  media.modality = Modality::kImage;
  CHECK_THROWS(model->num_encoder_rows(media), ErrorCode::kInvalidMedia);
}
