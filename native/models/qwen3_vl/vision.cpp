#include "models/qwen3_vl/vision.h"

#include <cmath>

namespace sensorium {
namespace {

constexpr float kNormEps = 1e-6F;
constexpr int64_t kMaxPositions = int64_t{1} << 24;

EncoderBlock load_block(WeightLoader& loader, const VisionConfig& config) {
  const int64_t width = config.hidden_size, inner = config.intermediate_size;
  Norm attention_norm = Norm::layer(loader, "norm1", width, kNormEps);
  Linear qkv = Linear::load(loader, width, {{"attn.qkv", 3 * width, true}});
  Linear attention_out = Linear::load(loader, width, {{"attn.proj", width, true}});
  Norm mlp_norm = Norm::layer(loader, "norm2", width, kNormEps);
  Linear up = Linear::load(loader, width, {{"mlp.linear_fc1", inner, true}});
  Linear down = Linear::load(loader, inner, {{"mlp.linear_fc2", width, true}});
  return EncoderBlock({std::move(attention_norm), std::move(qkv), std::move(attention_out), std::move(mlp_norm),
                       Mlp(std::move(up), std::move(down), config.activation), config.num_heads});
}

int64_t read_position_side(const ConfigSection& section) {
  const int64_t num_positions = section.count({"num_position_embeddings"}, 2304, kMaxPositions);
  const auto side = static_cast<int64_t>(std::lround(std::sqrt(static_cast<double>(num_positions))));
  if (side * side != num_positions) section.fail("num_position_embeddings", "expected the square of a number");
  return side;
}

}  // namespace

VisionConfig read_qwen3_vision_config(const ConfigSection& section) {
  VisionConfig config;
  config.depth = 27;
  config.patch_size = 16;
  config.hidden_size = section.count({"hidden_size"}, 1152, kMaxWidth);
  config.intermediate_size = section.count({"intermediate_size"}, 4304, kMaxWidth);
  config.out_hidden_size = section.count({"out_hidden_size"}, 3584, kMaxWidth);
  config.activation = section.activation({"hidden_act"}, "gelu_pytorch_tanh");
  config.has_patch_bias = true;
  config.position_side = read_position_side(section);
  config.deepstack_blocks = section.integers({"deepstack_visual_indexes"}, {8, 16, 24}, kMaxLayers);
  config.merger_names = {"norm", "linear_fc1", "linear_fc2"};
  config = read_vision_config(section, config);
  for (const int64_t block : config.deepstack_blocks) {
    if (block >= config.depth) section.fail("deepstack_visual_indexes", "names a block that the tower does not have");
  }
  return config;
}

std::unique_ptr<VisionTower> load_qwen3_vision(const VisionConfig& config, const WeightLoader& loader) {
  return std::make_unique<VisionTower>(config, loader.scope("visual"), load_block, Norm::layer);
}

}  // namespace sensorium
