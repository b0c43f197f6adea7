#pragma once

#include "tiny_families.h"

/// Families with CLIP's, SigLIP's or Whisper's encoders, at random odd sizes.
namespace sensorium::testing {

// --- square pictures

struct TinyVit {
  int64_t num_heads, head_dim, inner, num_layers, patch, side;  ///< side: patches along a picture
  bool is_clip;
  int64_t width() const { return num_heads * head_dim; }
  int64_t patch_dim() const { return 3 * patch * patch; }
  /// Up to patch - 1 pixels of a picture's side belong to no patch.
  int64_t image_size() const { return side * patch + patch / 2; }
};

inline TinyVit roll_vit(Dice& dice, bool is_clip) {
  TinyVit vit{};
  vit.num_heads = dice.from(1, 3);
  vit.head_dim = dice.one_of<int64_t>({1, 7, 20, 33, 72, 80});
  vit.inner = dice.one_of<int64_t>({3, 17, 50, 106});
  vit.num_layers = dice.from(1, 3);
  vit.patch = dice.one_of<int64_t>({2, 3, 5, 14});
  vit.side = dice.from(1, 5);
  vit.is_clip = is_clip;
  return vit;
}

inline Members vit_members(const TinyVit& vit) {
  Members members;
  members.text("model_type", vit.is_clip ? "clip_vision_model" : "siglip_vision_model").set("hidden_size", vit.width());
  members.set("intermediate_size", vit.inner).set("num_hidden_layers", vit.num_layers);
  members.set("num_attention_heads", vit.num_heads).set("image_size", vit.image_size()).set("patch_size", vit.patch);
  return members;
}

inline void add_vit(const TinyVit& vit, const std::string& prefix, TensorMaker& maker) {
  const int64_t width = vit.width();
  maker.add(prefix + "embeddings.patch_embedding.weight", {width, 3, vit.patch, vit.patch});
  maker.add(prefix + "embeddings.position_embedding.weight", {vit.side * vit.side + (vit.is_clip ? 1 : 0), width});
  if (vit.is_clip) {
    maker.add(prefix + "embeddings.class_embedding", {width});
    maker.norm(prefix + "pre_layrnorm", width);
  } else {
    maker.add(prefix + "embeddings.patch_embedding.bias", {width});
  }
  for (int64_t i = 0; i < vit.num_layers; ++i) {
    const std::string layer = prefix + "encoder.layers." + std::to_string(i) + ".";
    maker.norm(layer + "layer_norm1", width);
    maker.norm(layer + "layer_norm2", width);
    for (const char* name : {"q_proj", "k_proj", "v_proj", "out_proj"}) maker.linear(layer + "self_attn." + name, width, width);
    maker.linear(layer + "mlp.fc1", vit.inner, width);
    maker.linear(layer + "mlp.fc2", width, vit.inner);
  }
  maker.norm(prefix + "post_layernorm", width);
}

inline TinyModel roll_llava(Dice& dice) {
  TinyText text = roll_text(dice);
  const TinyVit vit = roll_vit(dice, true);
  const bool is_full = dice.flip(), has_two_layers = dice.flip();
  Members inner = text_members(text);
  Members members;
  members.raw("text_config", inner.text("model_type", "llama").object()).raw("vision_config", vit_members(vit).object());
  members.text("vision_feature_select_strategy", is_full ? "full" : "default").set("tie_word_embeddings", text.is_tied);
  members.raw("vision_feature_layer", has_two_layers ? "[-1,0]" : "-2");
  TinyModel model = text_model("LlavaForConditionalGeneration", text, std::move(members));
  TensorMaker maker(model.tensors, dice);
  add_text(text, "language_model.model.", "language_model.lm_head", maker);
  add_vit(vit, "vision_tower.vision_model.", maker);
  maker.linear("multi_modal_projector.linear_1", text.hidden_size, vit.width() * (has_two_layers ? 2 : 1));
  maker.linear("multi_modal_projector.linear_2", text.hidden_size, text.hidden_size);
  model.add(patches_of(dice, Modality::kImage, {1, vit.side, vit.side}, vit.patch_dim()));
  return model;
}

inline TinyModel roll_llava_onevision(Dice& dice) {
  TinyText text = roll_text(dice);
  text.has_qkv_bias = true;
  const TinyVit vit = roll_vit(dice, false);
  Members inner = text_members(text);
  Members members;
  members.raw("text_config", inner.text("model_type", "qwen2").object()).raw("vision_config", vit_members(vit).object());
  members.set("tie_word_embeddings", text.is_tied);
  TinyModel model = text_model("LlavaOnevisionForConditionalGeneration", text, std::move(members));
  TensorMaker maker(model.tensors, dice);
  add_text(text, "language_model.model.", "language_model.lm_head", maker);
  add_vit(vit, "vision_tower.vision_model.", maker);
  maker.linear("multi_modal_projector.linear_1", text.hidden_size, vit.width());
  maker.linear("multi_modal_projector.linear_2", text.hidden_size, text.hidden_size);
  maker.add("image_newline", {text.hidden_size});
  TileLayout tiles;
  tiles.rows = static_cast<int32_t>(dice.from(1, 3));
  tiles.columns = static_cast<int32_t>(dice.from(1, 3));
  const auto side = static_cast<int32_t>(vit.side);
  tiles.overview_h = tiles.overview_w = side;
  tiles.kept_top = static_cast<int32_t>(dice.from(0, tiles.rows * side / 2));
  tiles.kept_h = tiles.rows * side - 2 * tiles.kept_top;
  tiles.kept_w = tiles.columns * side;
  tiles.packed_h = tiles.kept_h == 0 ? 0 : static_cast<int32_t>(dice.from(1, tiles.kept_h));
  tiles.packed_w = static_cast<int32_t>(dice.from(1, tiles.kept_w));
  const std::array<int64_t, 3> grid{1 + tiles.num_tiles(), vit.side, vit.side};
  model.add(patches_of(dice, Modality::kImage, grid, vit.patch_dim()));
  model.media.back()->tiles = tiles;
  model.add(patches_of(dice, Modality::kVideo, {dice.from(1, 3), vit.side, vit.side}, vit.patch_dim()));
  return model;
}

inline TinyModel roll_phi3_v(Dice& dice) {
  TinyText text = roll_text(dice);
  text.is_fused = true;
  TinyVit vit = roll_vit(dice, true);
  vit.side = 2 * dice.from(1, 3);
  Members processor;
  processor.raw("clip_config", vit_members(vit).object()).set("image_dim_out", vit.width());
  processor.set("layer_idx", dice.flip() ? int64_t{-2} : int64_t{-1});
  Members members = text_members(text);
  members.raw("img_processor", processor.object());
  TinyModel model = text_model("Phi3VForCausalLM", text, std::move(members));
  TensorMaker maker(model.tensors, dice);
  add_text(text, "model.", "lm_head", maker);
  const std::string sight = "model.vision_embed_tokens.";
  add_vit(vit, sight + "img_processor.vision_model.", maker);
  maker.add(sight + "sub_GN", {1, 1, 1, 4 * vit.width()});
  maker.add(sight + "glb_GN", {1, 1, 4 * vit.width()});
  maker.linear(sight + "img_projection.0", text.hidden_size, 4 * vit.width());
  maker.linear(sight + "img_projection.2", text.hidden_size, text.hidden_size);
  TileLayout tiles;
  tiles.rows = static_cast<int32_t>(dice.from(1, 2));
  tiles.columns = static_cast<int32_t>(dice.from(1, 3));
  const std::array<int64_t, 3> grid{1 + tiles.num_tiles(), vit.side, vit.side};
  model.add(patches_of(dice, Modality::kImage, grid, vit.patch_dim()));
  model.media.back()->tiles = tiles;
  return model;
}

/// Its resampler has heads of 128 dimensions, so the language model is a multiple of that wide.
inline TinyModel roll_minicpm_v(Dice& dice) {
  TinyText text = roll_text(dice);
  text.has_qkv_bias = true;
  text.hidden_size = 128 * dice.from(1, 2);
  const TinyVit vit = roll_vit(dice, false);
  const int64_t num_queries = dice.from(1, 7);
  Members members = text_members(text);
  members.raw("vision_config", vit_members(vit).object()).set("query_num", num_queries);
  members.set("drop_vision_last_layer", dice.flip());
  TinyModel model = text_model("MiniCPMV", text, std::move(members));
  TensorMaker maker(model.tensors, dice);
  add_text(text, "llm.model.", "llm.lm_head", maker);
  add_vit(vit, "vpm.", maker);
  const int64_t hidden = text.hidden_size;
  maker.add("resampler.query", {num_queries, hidden});
  maker.linear("resampler.kv_proj", hidden, vit.width(), false);
  for (const char* name : {"ln_q", "ln_kv", "ln_post"}) maker.norm(std::string("resampler.") + name, hidden);
  maker.add("resampler.attn.in_proj_weight", {3 * hidden, hidden});
  maker.add("resampler.attn.in_proj_bias", {3 * hidden});
  maker.linear("resampler.attn.out_proj", hidden, hidden);
  maker.add("resampler.proj", {hidden, hidden});
  TileLayout tiles;
  tiles.rows = static_cast<int32_t>(dice.from(0, 2));
  tiles.columns = static_cast<int32_t>(dice.from(0, 2));
  tiles.overview_h = static_cast<int32_t>(dice.from(1, 6));
  tiles.overview_w = static_cast<int32_t>(dice.from(1, 6));
  ProcessedMedia picture = patches_of(dice, Modality::kImage, {1 + tiles.num_tiles(), dice.from(1, 5), dice.from(1, 5)}, 1);
  const int64_t num_patches =
      int64_t{tiles.overview_h} * tiles.overview_w + int64_t{tiles.num_tiles()} * picture.grid_h * picture.grid_w;
  picture.features = random_features(dice, num_patches, vit.patch_dim());
  picture.tiles = tiles;
  model.add(std::move(picture));
  return model;
}

// --- sounds

struct TinyEar {
  int64_t num_heads, head_dim, inner, num_layers, num_mel_bins;
  int64_t width() const { return num_heads * head_dim; }
};

inline TinyEar roll_ear(Dice& dice) {
  TinyEar ear{};
  ear.num_heads = dice.one_of<int64_t>({1, 2, 4});
  ear.head_dim = 2 * dice.one_of<int64_t>({2, 5, 10, 32}) / (ear.num_heads > 1 ? 2 : 1);
  ear.inner = dice.one_of<int64_t>({3, 17, 50, 106});
  ear.num_layers = dice.from(1, 3);
  ear.num_mel_bins = dice.one_of<int64_t>({5, 20, 33, 80});
  return ear;
}

inline Members ear_members(const TinyEar& ear) {
  Members members;
  members.set("d_model", ear.width()).set("encoder_attention_heads", ear.num_heads).set("encoder_ffn_dim", ear.inner);
  members.set("encoder_layers", ear.num_layers).set("num_mel_bins", ear.num_mel_bins);
  return members;
}

inline void add_ear_layers(const TinyEar& ear, const std::string& prefix, bool has_key_bias, TensorMaker& maker) {
  const int64_t width = ear.width();
  for (int64_t i = 0; i < ear.num_layers; ++i) {
    const std::string layer = prefix + "layers." + std::to_string(i) + ".";
    maker.norm(layer + "self_attn_layer_norm", width);
    maker.norm(layer + "final_layer_norm", width);
    for (const char* name : {"q_proj", "v_proj", "out_proj"}) maker.linear(layer + "self_attn." + name, width, width);
    maker.linear(layer + "self_attn.k_proj", width, width, has_key_bias);
    maker.linear(layer + "fc1", ear.inner, width);
    maker.linear(layer + "fc2", width, ear.inner);
  }
}

inline void add_ear(const TinyEar& ear, const std::string& prefix, const std::string& final_norm, TensorMaker& maker) {
  maker.add(prefix + "conv1.weight", {ear.width(), ear.num_mel_bins, 3});
  maker.add(prefix + "conv1.bias", {ear.width()});
  maker.add(prefix + "conv2.weight", {ear.width(), ear.width(), 3});
  maker.add(prefix + "conv2.bias", {ear.width()});
  add_ear_layers(ear, prefix, false, maker);
  maker.norm(prefix + final_norm, ear.width());
}

inline TinyModel roll_qwen2_audio(Dice& dice) {
  TinyText text = roll_text(dice);
  text.has_qkv_bias = true;
  const TinyEar ear = roll_ear(dice);
  Members members;
  Members hearing = ear_members(ear);
  members.raw("text_config", text_members(text).object()).set("tie_word_embeddings", text.is_tied);
  members.raw("audio_config", hearing.set("max_source_positions", dice.from(20, 60)).object());
  TinyModel model = text_model("Qwen2AudioForConditionalGeneration", text, std::move(members));
  TensorMaker maker(model.tensors, dice);
  add_text(text, "language_model.model.", "language_model.lm_head", maker);
  add_ear(ear, "audio_tower.", "layer_norm", maker);
  maker.linear("multi_modal_projector.linear", text.hidden_size, ear.width());
  model.add(sound_of(dice, dice.from(3, 40), ear.num_mel_bins));
  return model;
}

inline TinyModel roll_ultravox(Dice& dice) {
  TinyText text = roll_text(dice);
  const TinyEar ear = roll_ear(dice);
  const int64_t stack = dice.from(1, 9), projector = 2 * dice.from(1, 40);
  const bool has_norm_in_middle = dice.flip();
  Members hearing = ear_members(ear), members;
  members.raw("text_config", text_members(text).object()).set("stack_factor", stack).set("hidden_size", projector);
  members.raw("audio_config", hearing.set("max_source_positions", dice.from(9, 30)).object());
  members.set("projector_ln_mid", has_norm_in_middle);
  TinyModel model = text_model("UltravoxModel", text, std::move(members));
  TensorMaker maker(model.tensors, dice);
  add_text(text, "language_model.model.", "language_model.lm_head", maker);
  add_ear(ear, "audio_tower.", "layer_norm", maker);
  maker.norm("multi_modal_projector.ln_pre", ear.width() * stack, false);
  maker.linear("multi_modal_projector.linear_1", projector, ear.width() * stack, false);
  maker.norm(std::string("multi_modal_projector.") + (has_norm_in_middle ? "ln_mid" : "ln_post"),
             has_norm_in_middle ? projector / 2 : text.hidden_size, false);
  maker.linear("multi_modal_projector.linear_2", text.hidden_size, projector / 2, false);
  model.add(sound_of(dice, dice.from(1, 130), ear.num_mel_bins));
  return model;
}

inline TinyModel roll_qwen2_5_omni(Dice& dice) {
  TinyText text = roll_text(dice);
  text.has_qkv_bias = true;
  text.rope = mrope(dice, text, false);
  const TinyTower tower = roll_tower(dice);
  const TinyEar ear = roll_ear(dice);
  Members hearing = ear_members(ear), thinker;
  hearing.set("n_window", dice.from(1, 20)).set("output_dim", text.hidden_size);
  thinker.raw("text_config", text_model("", text, text_members(text)).config).raw("audio_config", hearing.object());
  thinker.raw("vision_config", qwen2_5_tower_members(dice, tower, text.hidden_size).object());
  thinker.set("image_token_index", kImageId).set("video_token_index", kVideoId).set("audio_token_index", kAudioId);
  text.rope.clear();
  TinyModel model = text_model("Qwen2_5OmniModel", text, Members().raw("thinker_config", thinker.object()));
  TensorMaker maker(model.tensors, dice);
  add_text(text, "thinker.model.", "thinker.lm_head", maker);
  add_tower(tower, qwen2_5_kind(true), "thinker.visual.", text.hidden_size, maker);
  add_ear(ear, "thinker.audio_tower.", "ln_post", maker);
  maker.linear("thinker.audio_tower.proj", text.hidden_size, ear.width());
  add_pictures(dice, tower, model);
  model.add(sound_of(dice, dice.from(3, 150), ear.num_mel_bins));
  return model;
}

inline void add_qwen3_ear(const TinyEar& ear, int64_t channels, int64_t out, TensorMaker& maker) {
  const std::string prefix = "thinker.audio_tower.";
  int64_t bins = ear.num_mel_bins;
  for (int64_t i = 0; i < 3; ++i, bins = (bins + 1) / 2) {
    const std::string name = prefix + "conv2d" + std::to_string(i + 1);
    maker.add(name + ".weight", {channels, i == 0 ? 1 : channels, 3, 3});
    maker.add(name + ".bias", {channels});
  }
  maker.linear(prefix + "conv_out", ear.width(), channels * bins, false);
  add_ear_layers(ear, prefix, true, maker);
  maker.norm(prefix + "ln_post", ear.width());
  maker.linear(prefix + "proj1", ear.width(), ear.width());
  maker.linear(prefix + "proj2", out, ear.width());
}

inline TinyModel roll_qwen3_omni(Dice& dice) {
  TinyText text = roll_text(dice);
  text.has_qk_norm = true;
  roll_experts(dice, text);
  text.rope = mrope(dice, text, true);
  const TinyTower tower = roll_tower(dice);
  const TinyEar ear = roll_ear(dice);
  const int64_t channels = dice.from(1, 9);
  Members hearing = ear_members(ear), thinker;
  hearing.set("n_window", int64_t{50}).set("n_window_infer", 100 * dice.from(1, 3)).set("output_dim", text.hidden_size);
  hearing.set("downsample_hidden_size", channels);
  thinker.raw("text_config", text_model("", text, text_members(text)).config).raw("audio_config", hearing.object());
  thinker.raw("vision_config", qwen3_tower_members(tower, text.hidden_size).object());
  thinker.set("image_token_id", kImageId).set("video_token_id", kVideoId).set("audio_token_id", kAudioId);
  text.rope.clear();
  TinyModel model = text_model("Qwen3OmniMoeForConditionalGeneration", text, Members().raw("thinker_config", thinker.object()));
  TensorMaker maker(model.tensors, dice);
  add_text(text, "thinker.model.", "thinker.lm_head", maker);
  TowerKind kind = qwen3_kind();
  kind.deepstack = "merger_list";
  add_tower(tower, kind, "thinker.visual.", text.hidden_size, maker);
  add_qwen3_ear(ear, channels, text.hidden_size, maker);
  add_pictures(dice, tower, model);
  model.add(sound_of(dice, dice.from(1, 330), ear.num_mel_bins));
  return model;
}

inline TinyModel roll_whisper(Dice& dice) {
  const TinyEar ear = roll_ear(dice);
  const int64_t width = ear.width(), rows = dice.from(5, 40), inner = dice.from(3, 60), depth = dice.from(1, 3);
  TinyModel model;
  model.vocab_size = dice.one_of<int64_t>({61, 90, 131});
  Members members = ear_members(ear);
  members.raw("architectures", R"(["WhisperForConditionalGeneration"])").set("vocab_size", model.vocab_size);
  members.set("decoder_layers", depth).set("decoder_attention_heads", width / dice.one_of<int64_t>({1, 2}));
  members.set("decoder_ffn_dim", inner).set("max_source_positions", rows).set("max_target_positions", int64_t{100});
  model.config = members.object();
  TensorMaker maker(model.tensors, dice);
  add_ear(ear, "model.encoder.", "layer_norm", maker);
  maker.add("model.encoder.embed_positions.weight", {rows, width});
  maker.add("model.decoder.embed_tokens.weight", {model.vocab_size, width});
  maker.add("model.decoder.embed_positions.weight", {100, width});
  maker.norm("model.decoder.layer_norm", width);
  TinyEar decoder = ear;
  decoder.num_layers = depth;
  decoder.inner = inner;
  add_ear_layers(decoder, "model.decoder.", false, maker);
  for (int64_t i = 0; i < depth; ++i) {
    const std::string layer = "model.decoder.layers." + std::to_string(i) + ".encoder_attn";
    maker.norm(layer + "_layer_norm", width);
    for (const char* name : {".q_proj", ".v_proj", ".out_proj"}) maker.linear(layer + name, width, width);
    maker.linear(layer + ".k_proj", width, width, false);
  }
  model.add(sound_of(dice, 2 * rows, ear.num_mel_bins));
  return model;
}

}  // namespace sensorium::testing
