// Configs of Qwen3's multimodal checkpoints: what cannot be is refused by the key at fault, what is left out has its default.

#include <fstream>
#include <sstream>

#include "backend_testing.h"
#include "check.h"
#include "checkpoint_writer.h"
#include "core/error.h"
#include "golden_tensors.h"
#include "models/model.h"

using namespace sensorium;           // NOLINT(google-build-using-namespace)
using namespace sensorium::testing;  // NOLINT(google-build-using-namespace)

namespace {

std::string config_of(const std::string& family) {
  std::ostringstream text;
  text << std::ifstream(golden::root() / family / "model" / "config.json").rdbuf();
  return text.str();
}

/// The text with the value of the first `key` replaced, or the whole member dropped where there is no value.
std::string with(std::string config, const std::string& key, const std::optional<std::string>& value) {
  const size_t begin = config.find('"' + key + '"');
  const size_t value_begin = config.find(':', begin) + 1;
  const size_t opening = config.find_first_not_of(' ', value_begin);
  const bool is_list = config[opening] == '[';
  const size_t end = is_list ? config.find(']', opening) + 1 : config.find_first_of(",}\n", opening);
  if (value) return config.replace(value_begin, end - value_begin, *value);
  const size_t comma = config.find(',', end);
  return config.erase(begin, comma + 1 - begin);
}

std::unique_ptr<Model> load(const std::string& family, const std::string& config, Backend& backend) {
  const TemporaryFolder folder;
  const std::filesystem::path weights = golden::root() / family / "model" / "model.safetensors";
  std::filesystem::copy_file(weights, folder.path() / "model.safetensors");
  write_file(folder.path() / "config.json", config);
  return load_model(folder.path(), backend, {});
}

void check_refused(const std::string& family, const std::string& key, const std::string& value, ErrorCode code,
                   const std::string& named) {
  const std::unique_ptr<Backend> backend = create({"generic", false, DType::kFloat32}, 1);
  try {
    load(family, with(config_of(family), key, value), *backend);
    check::fail(__FILE__, __LINE__, key + " " + value + " was taken");
  } catch (const Error& error) {
    CHECK(error.code() == code);
    if (std::string(error.what()).find(named) == std::string::npos) check::fail(__FILE__, __LINE__, error.what());
  }
}

constexpr ErrorCode kInvalid = ErrorCode::kInvalidCheckpoint;

}  // namespace

TEST(towers_that_cannot_be_are_refused) {
  check_refused("qwen3_vl", "deepstack_visual_indexes", "[0, 4]", kInvalid, "deepstack_visual_indexes");
  check_refused("qwen3_vl", "num_position_embeddings", "50", kInvalid, "num_position_embeddings");
  check_refused("qwen3_vl", "num_position_embeddings", "64", kInvalid, "pos_embed.weight");
  check_refused("qwen3_vl", "out_hidden_size", "80", kInvalid, "out_hidden_size");
  check_refused("qwen3_vl", "num_heads", "3", kInvalid, "num_heads");
  check_refused("qwen3_vl", "patch_size", "14", kInvalid, "patch_embed.proj.weight");
  check_refused("qwen3_vl", "deepstack_visual_indexes", "[0, 1, 2]", kInvalid, "deepstack_merger_list.2.norm.weight");
}

TEST(positions_that_cannot_be_are_refused) {
  check_refused("qwen3_vl", "mrope_section", "[6, 3, 2]", kInvalid, "mrope_section");
  check_refused("qwen3_vl", "rope_type", "\"spiral\"", ErrorCode::kUnsupportedArchitecture, "spiral");
  check_refused("qwen3_omni_moe", "position_id_per_seconds", "0", kInvalid, "position_id_per_seconds");
}

TEST(hearing_that_cannot_be_is_refused) {
  check_refused("qwen3_omni_moe", "n_window_infer", "99", kInvalid, "n_window_infer");
  check_refused("qwen3_omni_moe", "encoder_attention_heads", "7", kInvalid, "encoder_attention_heads");
  check_refused("qwen3_omni_moe", "output_dim", "73", kInvalid, "output_dim");
  check_refused("qwen3_omni_moe", "downsample_hidden_size", "13", kInvalid, "audio_tower.conv2d1.weight");
  check_refused("qwen3_omni_moe", "num_experts", "7", kInvalid, "mlp.gate.weight");
}

TEST(members_at_their_default_may_be_left_out) {
  const std::unique_ptr<Backend> backend = create({"generic", false, DType::kFloat32}, 1);
  std::string config = config_of("qwen3_vl");
  for (const char* key : {"hidden_act", "rms_norm_eps", "attention_bias", "mrope_interleaved", "in_channels", "patch_size",
                          "spatial_merge_size"}) {
    config = with(config, key, std::nullopt);
  }
  const std::unique_ptr<Model> model = load("qwen3_vl", config, *backend);
  CHECK_EQ(model->info().embedding_width, 3 * model->info().hidden_size);
  CHECK(model->info().has_image && model->info().has_video && !model->info().has_audio);
}
