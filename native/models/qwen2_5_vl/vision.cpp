#include "models/qwen2_5_vl/vision.h"

namespace sensorium {
namespace {

constexpr float kNormEps = 1e-6F;

Linear load_qkv(WeightLoader& loader, int64_t width) {
  if (loader.has("attn.qkv.weight")) return Linear::load(loader, width, {{"attn.qkv", 3 * width, true}});
  return Linear::load(loader, width, {{"attn.q", width, true}, {"attn.k", width, true}, {"attn.v", width, true}});
}

EncoderBlock load_block(WeightLoader& loader, const VisionConfig& config) {
  const int64_t width = config.hidden_size, inner = config.intermediate_size;
  Norm attention_norm = Norm::rms(loader, "norm1", width, kNormEps);
  Linear qkv = load_qkv(loader, width);
  Linear attention_out = Linear::load(loader, width, {{"attn.proj", width, true}});
  Norm mlp_norm = Norm::rms(loader, "norm2", width, kNormEps);
  Linear up = Linear::load_gated(loader, width, {"mlp.gate_proj", inner, true}, {"mlp.up_proj", inner, true});
  Linear down = Linear::load(loader, inner, {{"mlp.down_proj", width, true}});
  return EncoderBlock({std::move(attention_norm), std::move(qkv), std::move(attention_out), std::move(mlp_norm),
                       Mlp(std::move(up), std::move(down), config.activation), config.num_heads});
}

}  // namespace

VisionConfig read_qwen2_5_vision_config(const ConfigSection& section) {
  VisionConfig config;
  config.hidden_size = section.count({"hidden_size"}, 3584, kMaxWidth);
  config.intermediate_size = section.count({"intermediate_size"}, 3420, kMaxWidth);
  config.out_hidden_size = section.count({"out_hidden_size"}, 3584, kMaxWidth);
  config.activation = section.activation({"hidden_act"}, "silu");
  config.full_attention_blocks = section.integers({"fullatt_block_indexes"}, {7, 15, 23, 31}, kMaxLayers);
  config = read_vision_config(section, config);
  const int64_t window_cells = section.count({"window_size"}, 112, kMaxWidth) / config.merge_size / config.patch_size;
  if (window_cells < 1) section.fail("window_size", "is smaller than one merged cell");
  config.window_cells = static_cast<int32_t>(window_cells);
  return config;
}

std::unique_ptr<VisionTower> load_qwen2_5_vision(const VisionConfig& config, const WeightLoader& loader) {
  return std::make_unique<VisionTower>(config, loader.scope("visual"), load_block, Norm::rms);
}

}  // namespace sensorium
