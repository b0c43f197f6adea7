#pragma once

#include <array>
#include <memory>

#include "core/media_input.h"
#include "tiny_text.h"

/// Checkpoints of every family at random odd sizes, with media of random shapes for them.
namespace sensorium::testing {

struct TinyModel {
  std::string config;
  FloatTensors tensors;
  std::vector<std::shared_ptr<ProcessedMedia>> media;
  int64_t vocab_size = 0;
  bool splits_videos = false;  ///< each temporal patch of a clip is a run of its own

  void add(ProcessedMedia item) { media.push_back(std::make_shared<ProcessedMedia>(std::move(item))); }
};

/// The ids that stand for media are the first ones of each vocabulary.
inline constexpr int64_t kImageId = 0, kVideoId = 1, kAudioId = 2, kNumPlaceholders = 3;

inline Tensor random_features(Dice& dice, int64_t rows, int64_t cols) {
  Tensor features({rows, cols});
  const std::vector<float> values = dice.random().normal(rows * cols, 0.5F);
  std::copy(values.begin(), values.end(), features.data());
  return features;
}

inline ProcessedMedia patches_of(Dice& dice, Modality modality, std::array<int64_t, 3> grid, int64_t patch_dim) {
  ProcessedMedia media;
  media.modality = modality;
  media.features = random_features(dice, grid[0] * grid[1] * grid[2], patch_dim);
  media.grid_t = static_cast<int32_t>(grid[0]);
  media.grid_h = static_cast<int32_t>(grid[1]);
  media.grid_w = static_cast<int32_t>(grid[2]);
  media.seconds_per_grid = modality == Modality::kVideo ? 0.7F : 0.0F;
  return media;
}

inline ProcessedMedia sound_of(Dice& dice, int64_t num_frames, int64_t num_mel_bins) {
  ProcessedMedia media;
  media.modality = Modality::kAudio;
  media.features = random_features(dice, num_frames, num_mel_bins);
  media.num_sound_frames = static_cast<int32_t>(num_frames);
  return media;
}

// --- language models

inline TinyModel text_model(const std::string& architecture, const TinyText& text, Members members) {
  TinyModel model;
  model.vocab_size = text.vocab_size;
  members.raw("architectures", "[\"" + architecture + "\"]");
  std::string config = members.object();
  if (text.rope.size() > 2) config.insert(config.size() - 1, "," + text.rope.substr(1, text.rope.size() - 2));
  model.config = std::move(config);
  return model;
}

inline TinyModel roll_language_model(Dice& dice, const std::string& architecture) {
  TinyText text = roll_text(dice);
  roll_rope(dice, text);
  text.has_qkv_bias = architecture == "Qwen2ForCausalLM";
  text.has_qk_norm = architecture.starts_with("Qwen3");
  text.is_fused = architecture == "Phi3ForCausalLM";
  if (architecture == "Qwen3MoeForCausalLM") roll_experts(dice, text);
  if (architecture == "LlamaForCausalLM") {
    text.has_qkv_bias = text.has_out_bias = dice.flip();
    text.has_mlp_bias = dice.flip();
  }
  Members members = text_members(text);
  if (dice.flip()) {
    members.set("use_sliding_window", true).set("sliding_window", dice.from(1, 40));
    members.set("max_window_layers", dice.from(1, 2));
  }
  TinyModel model = text_model(architecture, text, std::move(members));
  TensorMaker maker(model.tensors, dice);
  add_text(text, "model.", "lm_head", maker);
  return model;
}

// --- vision towers of the Qwen families

struct TinyTower {
  int64_t num_heads, head_dim, inner, depth, patch, temporal, merge, position_side;
  std::vector<int64_t> deepstack;
  int64_t width() const { return num_heads * head_dim; }
  int64_t patch_dim() const { return 3 * temporal * patch * patch; }
};

inline TinyTower roll_tower(Dice& dice) {
  TinyTower tower{};
  tower.num_heads = dice.from(1, 3);
  tower.head_dim = dice.one_of<int64_t>({4, 12, 20, 28, 36, 40, 72, 80});
  tower.inner = dice.one_of<int64_t>({3, 17, 50, 106});
  tower.depth = dice.from(1, 4);
  tower.patch = dice.one_of<int64_t>({2, 3, 5, 14});
  tower.temporal = dice.from(1, 3);
  tower.merge = dice.from(1, 3);
  tower.position_side = dice.from(1, 9);
  for (int64_t block = 0; block < tower.depth; ++block) {
    if (dice.flip()) tower.deepstack.push_back(block);
  }
  return tower;
}

inline void add_pictures(Dice& dice, const TinyTower& tower, TinyModel& model) {
  const int64_t merge = tower.merge;
  const std::array<int64_t, 3> grid{1, merge * dice.from(1, 7), merge * dice.from(1, 7)};
  model.add(patches_of(dice, Modality::kImage, grid, tower.patch_dim()));
  const std::array<int64_t, 3> clip{dice.from(1, 3), merge * dice.from(1, 5), merge * dice.from(1, 5)};
  model.add(patches_of(dice, Modality::kVideo, clip, tower.patch_dim()));
}

inline Members tower_members(const TinyTower& tower, const std::string& width_key) {
  Members members;
  members.set("depth", tower.depth).set(width_key, tower.width()).set("num_heads", tower.num_heads);
  members.set("patch_size", tower.patch).set("temporal_patch_size", tower.temporal).set("spatial_merge_size", tower.merge);
  return members;
}

/// The names and makings in which the towers differ.
struct TowerKind {
  bool is_rms = false, is_gated = false, has_split_qkv = false, has_learned_positions = false;
  std::string up = "mlp.fc1", down = "mlp.fc2";
  std::string merger_norm = "ln_q", merger_up = "mlp.0", merger_down = "mlp.2", deepstack = "deepstack_merger_list";
};

inline void add_merger(const TowerKind& kind, const std::string& name, int64_t norm_size, int64_t inner, int64_t out,
                       TensorMaker& maker) {
  maker.norm(name + "." + kind.merger_norm, norm_size, !kind.is_rms);
  maker.linear(name + "." + kind.merger_up, inner, inner);
  maker.linear(name + "." + kind.merger_down, out, inner);
}

inline void add_tower(const TinyTower& tower, const TowerKind& kind, const std::string& prefix, int64_t out,
                      TensorMaker& maker) {
  const int64_t width = tower.width(), group = width * tower.merge * tower.merge;
  maker.add(prefix + "patch_embed.proj.weight", {width, 3, tower.temporal, tower.patch, tower.patch});
  if (kind.has_learned_positions) {
    maker.add(prefix + "patch_embed.proj.bias", {width});
    maker.add(prefix + "pos_embed.weight", {tower.position_side * tower.position_side, width});
  }
  for (int64_t i = 0; i < tower.depth; ++i) {
    const std::string block = prefix + "blocks." + std::to_string(i) + ".";
    maker.norm(block + "norm1", width, !kind.is_rms);
    maker.norm(block + "norm2", width, !kind.is_rms);
    if (!kind.has_split_qkv) maker.linear(block + "attn.qkv", 3 * width, width);
    for (const char* name : {"q", "k", "v"}) {
      if (kind.has_split_qkv) maker.linear(block + "attn." + name, width, width);
    }
    maker.linear(block + "attn.proj", width, width);
    maker.linear(block + kind.up, tower.inner, width);
    if (kind.is_gated) maker.linear(block + "mlp.gate_proj", tower.inner, width);
    maker.linear(block + kind.down, width, tower.inner);
  }
  add_merger(kind, prefix + "merger", width, group, out, maker);
  for (size_t i = 0; kind.has_learned_positions && i < tower.deepstack.size(); ++i) {
    add_merger(kind, prefix + kind.deepstack + "." + std::to_string(i), group, group, out, maker);
  }
}

inline std::string mrope(Dice& dice, const TinyText& text, bool is_interleaved) {
  Members rope;
  rope.text("rope_type", "default").raw("mrope_section", list(roll_sections(dice, text.head_dim, is_interleaved)));
  if (is_interleaved) rope.set("mrope_interleaved", true);
  return Members().raw("rope_scaling", rope.object()).object();
}

inline TowerKind qwen2_5_kind(bool has_split_qkv) {
  TowerKind kind;
  kind.is_rms = kind.is_gated = true;
  kind.has_split_qkv = has_split_qkv;
  kind.up = "mlp.up_proj";
  kind.down = "mlp.down_proj";
  return kind;
}

inline TowerKind qwen3_kind() {
  TowerKind kind;
  kind.has_learned_positions = true;
  kind.up = "mlp.linear_fc1";
  kind.down = "mlp.linear_fc2";
  return kind;
}

inline Members qwen2_5_tower_members(Dice& dice, const TinyTower& tower, int64_t out) {
  Members members = tower_members(tower, "hidden_size");
  members.set("intermediate_size", tower.inner).set("out_hidden_size", out);
  members.set("window_size", tower.patch * tower.merge * dice.from(1, 4) + dice.from(0, tower.patch - 1));
  members.raw("fullatt_block_indexes", list({dice.from(0, tower.depth - 1)})).set("tokens_per_second", int64_t{3});
  return members;
}

inline Members qwen3_tower_members(const TinyTower& tower, int64_t out) {
  Members members = tower_members(tower, "hidden_size");
  members.set("intermediate_size", tower.inner).set("out_hidden_size", out);
  members.set("num_position_embeddings", tower.position_side * tower.position_side);
  members.raw("deepstack_visual_indexes", list(tower.deepstack));
  return members;
}

inline TinyModel roll_qwen2_vl(Dice& dice) {
  TinyText text = roll_text(dice);
  text.has_qkv_bias = true;
  text.rope = mrope(dice, text, false);
  TinyTower tower = roll_tower(dice);
  const int64_t ratio = dice.from(1, 3);
  tower.inner = ratio * tower.width();
  Members vision = tower_members(tower, "embed_dim");
  vision.set("mlp_ratio", ratio).set("hidden_size", text.hidden_size);
  Members members = text_members(text);
  members.raw("vision_config", vision.object()).set("image_token_id", kImageId).set("video_token_id", kVideoId);
  TinyModel model = text_model("Qwen2VLForConditionalGeneration", text, std::move(members));
  TensorMaker maker(model.tensors, dice);
  add_text(text, "model.", "lm_head", maker);
  add_tower(tower, {}, "visual.", text.hidden_size, maker);
  add_pictures(dice, tower, model);
  return model;
}

inline TinyModel roll_qwen2_5_vl(Dice& dice) {
  TinyText text = roll_text(dice);
  text.has_qkv_bias = true;
  text.rope = mrope(dice, text, false);
  const TinyTower tower = roll_tower(dice);
  Members members = text_members(text);
  members.raw("vision_config", qwen2_5_tower_members(dice, tower, text.hidden_size).object());
  members.set("image_token_id", kImageId).set("video_token_id", kVideoId);
  TinyModel model = text_model("Qwen2_5_VLForConditionalGeneration", text, std::move(members));
  TensorMaker maker(model.tensors, dice);
  add_text(text, "model.language_model.", "lm_head", maker);
  add_tower(tower, qwen2_5_kind(false), "model.visual.", text.hidden_size, maker);
  add_pictures(dice, tower, model);
  return model;
}

inline TinyModel roll_qwen3_vl(Dice& dice, bool has_experts) {
  TinyText text = roll_text(dice);
  text.has_qk_norm = true;
  if (has_experts) roll_experts(dice, text);
  text.rope = mrope(dice, text, true);
  const TinyTower tower = roll_tower(dice);
  const std::string text_config = text_model("", text, text_members(text)).config;
  Members members;
  members.raw("text_config", text_config).raw("vision_config", qwen3_tower_members(tower, text.hidden_size).object());
  members.set("image_token_id", kImageId).set("video_token_id", kVideoId).set("tie_word_embeddings", text.is_tied);
  text.rope.clear();
  TinyModel model = text_model(has_experts ? "Qwen3VLMoeForConditionalGeneration" : "Qwen3VLForConditionalGeneration", text,
                               std::move(members));
  model.splits_videos = true;
  TensorMaker maker(model.tensors, dice);
  add_text(text, "model.language_model.", "lm_head", maker);
  TowerKind kind = qwen3_kind();
  kind.merger_norm = "norm";
  kind.merger_up = "linear_fc1";
  kind.merger_down = "linear_fc2";
  add_tower(tower, kind, "model.visual.", text.hidden_size, maker);
  add_pictures(dice, tower, model);
  return model;
}

}  // namespace sensorium::testing
