// Loading of checkpoints: spellings that must agree, and configs and tensors that must be refused with a clear error.

#include <cmath>

#include "backend_testing.h"
#include "check.h"
#include "checkpoint_writer.h"
#include "core/error.h"
#include "model_driver.h"
#include "models/tensor_names.h"

using namespace sensorium;           // NOLINT(google-build-using-namespace)
using namespace sensorium::testing;  // NOLINT(google-build-using-namespace)

namespace {

const std::string kQwen2 = R"({"architectures":["Qwen2ForCausalLM"],"model_type":"qwen2",)";

std::unique_ptr<Backend> exact_backend() { return create({"generic", false, DType::kFloat32}, 1); }

void write_checkpoint(const TemporaryFolder& folder, const std::string& config, const FloatTensors& tensors) {
  write_file(folder.path() / "config.json", config);
  write_safetensors(folder.path() / "model.safetensors", tensors);
}

/// Logits of a short prompt's last token.
std::vector<float> logits_of(const std::string& config, const FloatTensors& tensors) {
  const TemporaryFolder folder;
  write_checkpoint(folder, config, tensors);
  const std::unique_ptr<Backend> backend = exact_backend();
  const std::unique_ptr<Model> model = load_model(folder.path(), *backend, {});
  Prompt prompt;
  prompt.ids = {3, 1, 4, 1, 5, 9, 2, 6};
  prompt.positions = model->positions(prompt.ids, {});
  Driver driver(*model, *backend, 8);
  Sequence sequence = driver.start(prompt);
  return driver.prefill(sequence, 8);
}

/// The error of loading, or none.
struct Refusal {
  std::optional<ErrorCode> code;
  std::string message;
  bool names(const std::string& part) const { return message.find(part) != std::string::npos; }
};

Refusal refusal_of(const std::string& config, const FloatTensors& tensors) {
  const TemporaryFolder folder;
  write_checkpoint(folder, config, tensors);
  const std::unique_ptr<Backend> backend = exact_backend();
  try {
    load_model(folder.path(), *backend, {});
  } catch (const Error& error) {
    return {error.code(), error.what()};
  }
  return {};
}

void check_config_refused(const std::string& members, ErrorCode code, const std::string& named) {
  const Refusal refusal = refusal_of(kQwen2 + members + "}", random_qwen2({}));
  if (refusal.code == code && refusal.names(named)) return;
  check::fail(__FILE__, __LINE__, members + " gave \"" + refusal.message + "\"");
}

std::string sizes_with(const std::string& replaced_key, const std::string& value) {
  std::string config = qwen2_config({});
  const size_t begin = config.find(':', config.find(replaced_key)) + 1;
  const size_t end = config.find(',', begin);
  return config.replace(begin, end == std::string::npos ? end : end - begin, value);
}

FloatTensors renamed(const FloatTensors& tensors, const std::string& from, const std::string& to) {
  FloatTensors result;
  for (const auto& [name, tensor] : tensors) {
    result[name.rfind(from, 0) == 0 ? to + name.substr(from.size()) : name] = tensor;
  }
  return result;
}

}  // namespace

TEST(rope_spellings_agree) {
  const FloatTensors tensors = random_qwen2({});
  const std::string sizes = kQwen2 + qwen2_config({});
  const std::vector<float> old = logits_of(sizes + R"(,"rope_theta":500})", tensors);
  CHECK(logits_of(sizes + R"(,"rope_parameters":{"rope_theta":500,"rope_type":"default"}})", tensors) == old);
  CHECK(logits_of(sizes + R"(,"rope_theta":500,"rope_scaling":{"type":"mrope","mrope_section":[1,1,2]}})", tensors) == old);
  CHECK(logits_of(sizes + R"(,"rope_theta":500,"rope_scaling":null})", tensors) == old);
  CHECK(logits_of(sizes + R"(,"rope_theta":400})", tensors) != old);
  CHECK(logits_of(sizes + R"(,"rope_theta":500,"rope_scaling":{"rope_type":"linear","factor":4}})", tensors) != old);
}

TEST(text_config_may_be_nested) {
  const FloatTensors tensors = random_qwen2({});
  const std::string nested = kQwen2 + R"("text_config":{)" + qwen2_config({}) + R"(},"rope_theta":500})";
  CHECK(logits_of(nested, tensors) == logits_of(kQwen2 + qwen2_config({}) + R"(,"rope_theta":500})", tensors));
}

TEST(tensor_name_spellings_agree) {
  const FloatTensors tensors = random_qwen2({});
  const std::string config = kQwen2 + qwen2_config({}) + "}";
  const std::vector<float> plain = logits_of(config, tensors);
  for (const char* prefix : {"model.language_model.", "language_model.model.", "thinker.model.", "model.model."}) {
    CHECK(logits_of(config, renamed(tensors, "model.", prefix)) == plain);
  }
}

TEST(head_is_tied_when_absent_and_used_when_present) {
  FloatTensors tensors = random_qwen2({});
  const std::string config = kQwen2 + qwen2_config({}) + "}";
  const std::vector<float> tied = logits_of(config, tensors);
  tensors["lm_head.weight"] = tensors["model.embed_tokens.weight"];
  CHECK(logits_of(config, tensors) == tied);
  tensors["lm_head.weight"].values[0] += 1.0F;
  CHECK(logits_of(config, tensors) != tied);
  CHECK(logits_of(kQwen2 + qwen2_config({}) + R"(,"tie_word_embeddings":true})", tensors) == tied);
}

TEST(head_dim_may_exceed_hidden_size_over_heads) {
  TinyQwen2 sizes;
  sizes.head_dim = 16;
  const std::vector<float> logits = logits_of(kQwen2 + qwen2_config(sizes) + R"(,"head_dim":16})", random_qwen2(sizes));
  CHECK_EQ(logits.size(), size_t{40});
  for (const float logit : logits) CHECK(std::isfinite(logit));
  CHECK(refusal_of(kQwen2 + qwen2_config(sizes) + "}", random_qwen2(sizes)).code == ErrorCode::kInvalidCheckpoint);
}

TEST(model_type_decides_without_architectures) {
  const FloatTensors tensors = random_qwen2({});
  CHECK(!refusal_of(R"({"model_type":"qwen2",)" + qwen2_config({}) + "}", tensors).code);
  const Refusal refusal = refusal_of(R"({"model_type":"gpt9",)" + qwen2_config({}) + "}", tensors);
  CHECK(refusal.code == ErrorCode::kUnsupportedArchitecture && refusal.names("gpt9"));
}

TEST(unknown_architectures_are_refused_with_the_supported_ones) {
  const Refusal refusal = refusal_of(R"({"architectures":["FancyLM"],"model_type":"qwen2"})", {});
  CHECK(refusal.code == ErrorCode::kUnsupportedArchitecture);
  CHECK(refusal.names("FancyLM") && refusal.names("Qwen2_5_VLForConditionalGeneration"));
  CHECK(supported_architectures().size() > 6);
  for (const std::string& architecture : supported_architectures()) CHECK(refusal.names(architecture));
}

TEST(quantised_checkpoints_are_refused) {
  check_config_refused(qwen2_config({}) + R"(,"quantization_config":{"quant_method":"awq"})",
                       ErrorCode::kUnsupportedArchitecture, "quantization_config");
}

TEST(sliding_windows_hide_the_past_where_they_act) {
  const FloatTensors tensors = random_qwen2({});
  const std::string config = kQwen2 + qwen2_config({});
  const std::vector<float> plain = logits_of(config + "}", tensors);
  const auto with = [&](const std::string& members) { return logits_of(config + members + "}", tensors); };
  const std::vector<float> windowed = with(R"(,"use_sliding_window":true,"sliding_window":3,"max_window_layers":1)");
  CHECK(windowed != plain);
  CHECK(with(R"(,"sliding_window":3,"layer_types":["full_attention","sliding_attention"])") == windowed);
  CHECK(with(R"(,"use_sliding_window":true,"sliding_window":3,"max_window_layers":2)") == plain);
  CHECK(with(R"(,"use_sliding_window":true,"sliding_window":8,"max_window_layers":1)") == plain);
  CHECK(with(R"(,"use_sliding_window":false,"sliding_window":3,"max_window_layers":1)") == plain);
  CHECK(with(R"(,"use_sliding_window":true,"sliding_window":null,"max_window_layers":1)") == plain);
  check_config_refused(qwen2_config({}) + R"(,"layer_types":["full_attention"])", ErrorCode::kInvalidCheckpoint, "layer_types");
  check_config_refused(qwen2_config({}) + R"(,"layer_types":["full_attention","linear_attention"])",
                       ErrorCode::kUnsupportedArchitecture, "linear_attention");
  check_config_refused(qwen2_config({}) + R"(,"layer_types":["full_attention","sliding_attention"])",
                       ErrorCode::kInvalidCheckpoint, "sliding_window");
}

TEST(longrope_needs_a_factor_for_each_frequency) {
  const auto rope = [](const std::string& members) {
    return qwen2_config({}) + R"(,"max_position_embeddings":64,"original_max_position_embeddings":4,"rope_scaling":{)" +
           members + "}";
  };
  const std::string four = "[1,2,3,4]";
  const std::string factors = R"("short_factor":[1,1,1,1],"long_factor":)" + four;
  const FloatTensors tensors = random_qwen2({});
  const std::vector<float> su = logits_of(kQwen2 + rope(R"("type":"su",)" + factors) + "}", tensors);
  CHECK(logits_of(kQwen2 + rope(R"("rope_type":"longrope",)" + factors) + "}", tensors) == su);
  CHECK(logits_of(kQwen2 + qwen2_config({}) + "}", tensors) != su);
  constexpr ErrorCode kInvalid = ErrorCode::kInvalidCheckpoint;
  check_config_refused(rope(R"("type":"su","long_factor":)" + four), kInvalid, "short_factor");
  check_config_refused(rope(R"("type":"su","short_factor":[1,2],"long_factor":)" + four), kInvalid, "short_factor");
  check_config_refused(rope(R"("type":"su","short_factor":)" + four + R"(,"long_factor":[1,2,3,-4])"), kInvalid, "long_factor");
}

TEST(longrope_without_an_original_context_grows_by_its_factor) {
  const FloatTensors tensors = random_qwen2({});
  const auto with = [&](const std::string& members, const std::string& rope) {
    const std::string factors = R"("short_factor":[1,1,1,1],"long_factor":[1,2,3,4])";
    return logits_of(kQwen2 + qwen2_config({}) + members + R"(,"rope_scaling":{"type":"longrope",)" + factors + rope + "}}",
                     tensors);
  };
  const std::string context = R"(,"max_position_embeddings":64)";
  const std::vector<float> grown = with(context, R"(,"factor":4)");
  CHECK(grown == with(context, R"(,"attention_factor":1.1547005383792515)"));  // sqrt(1 + ln 4 / ln 64)
  CHECK(grown != with(context, ""));
  CHECK(with(context + R"(,"original_max_position_embeddings":16)", R"(,"factor":9)") ==
        with(context + R"(,"original_max_position_embeddings":16)", ""));
}

TEST(a_null_number_of_kv_heads_is_that_of_the_heads) {
  TinyQwen2 sizes;
  sizes.num_kv_heads = sizes.num_heads;
  const FloatTensors tensors = random_qwen2(sizes);
  const std::string mistral = R"({"architectures":["MistralForCausalLM"],)";  // whose class has 8 by default
  std::string config = qwen2_config(sizes);
  CHECK(logits_of(mistral + config + "}", tensors) ==
        logits_of(mistral + config.replace(config.rfind(':') + 1, std::string::npos, "null") + "}", tensors));
  sizes.num_heads = sizes.num_kv_heads = 16;
  sizes.head_dim = 2;
  config = qwen2_config(sizes);
  CHECK_EQ(
      logits_of(mistral + config.replace(config.rfind(':') + 1, std::string::npos, "null") + "}", random_qwen2(sizes)).size(),
      size_t{40});
}

TEST(a_window_in_use_has_the_length_of_its_class) {
  const FloatTensors tensors = random_qwen2({});
  const auto with = [&](const std::string& members) {
    return logits_of(kQwen2 + qwen2_config({}) + R"(,"use_sliding_window":true,"max_window_layers":0)" + members + "}",
                     tensors);
  };
  CHECK(with("") == with(R"(,"sliding_window":4096)"));
  CHECK(with("") != with(R"(,"sliding_window":2)"));
}

TEST(biases_of_attention_and_mlp_are_read_where_stated) {
  const std::string llama = R"({"architectures":["LlamaForCausalLM"],)" + qwen2_config({});
  FloatTensors tensors = random_qwen2({});
  const std::vector<float> without = logits_of(llama + "}", tensors);
  const Refusal refusal = refusal_of(llama + R"(,"attention_bias":true})", tensors);
  CHECK(refusal.code == ErrorCode::kInvalidCheckpoint && refusal.names("o_proj.bias"));
  for (const int layer : {0, 1}) {
    const std::string name = "model.layers." + std::to_string(layer) + ".self_attn.o_proj.bias";
    tensors[name] = {{32}, std::vector<float>(32, 0.5F)};
  }
  CHECK(logits_of(llama + R"(,"attention_bias":true})", tensors) != without);
}

TEST(absurd_sizes_are_refused) {
  constexpr ErrorCode kInvalid = ErrorCode::kInvalidCheckpoint;
  check_config_refused(sizes_with("hidden_size", "-32"), kInvalid, "hidden_size");
  check_config_refused(sizes_with("hidden_size", "0"), kInvalid, "hidden_size");
  check_config_refused(sizes_with("hidden_size", "9223372036854775807"), kInvalid, "hidden_size");
  check_config_refused(sizes_with("hidden_size", "1e300"), kInvalid, "hidden_size");
  check_config_refused(sizes_with("hidden_size", "\"32\""), kInvalid, "hidden_size");
  check_config_refused(sizes_with("num_attention_heads", "5"), kInvalid, "num_key_value_heads");
  check_config_refused(sizes_with("num_attention_heads", "64"), kInvalid, "num_attention_heads");
  check_config_refused(sizes_with("num_hidden_layers", "1000000"), kInvalid, "num_hidden_layers");
  check_config_refused(qwen2_config({}) + R"(,"head_dim":7)", kInvalid, "head_dim");
  check_config_refused(qwen2_config({}) + R"(,"rms_norm_eps":0)", kInvalid, "rms_norm_eps");
  check_config_refused(qwen2_config({}) + R"(,"rope_theta":-1)", kInvalid, "rope_theta");
  check_config_refused(qwen2_config({}) + R"(,"rope_scaling":[1])", kInvalid, "rope_scaling");
  check_config_refused(qwen2_config({}) + R"(,"rope_scaling":{"type":"mrope","mrope_section":[1,1,1]})", kInvalid,
                       "mrope_section");
}

TEST(absurd_encoder_sizes_are_refused_before_tensors_are_read) {
  const auto check_refused = [](const std::string& config, const std::string& named) {
    const Refusal refusal = refusal_of(config, {});
    CHECK(refusal.code == ErrorCode::kInvalidCheckpoint);
    CHECK(refusal.names(named));
  };
  const auto audio = [](const std::string& member) {
    return R"({"architectures":["Qwen2_5OmniModel"],"thinker_config":{"audio_config":{)" + member + "}}}";
  };
  const auto vision = [](const std::string& member) {
    return R"({"architectures":["Qwen2VLForConditionalGeneration"],"vision_config":{)" + member + "}}";
  };
  check_refused(audio(R"("n_window":1000000)"), "n_window");
  check_refused(audio(R"("n_window":0)"), "n_window");
  check_refused(audio(R"("encoder_attention_heads":3)"), "encoder_attention_heads");
  check_refused(vision(R"("mlp_ratio":1e-9)"), "mlp_ratio");
  check_refused(vision(R"("mlp_ratio":1e300)"), "mlp_ratio");
  check_refused(vision(R"("spatial_merge_size":65)"), "spatial_merge_size");
  check_refused(vision(R"("embed_dim":-4)"), "embed_dim");
}

TEST(models_that_see_turn_with_sections_even_where_none_are_stated) {
  for (const char* architecture :
       {"Qwen2VLForConditionalGeneration", "Qwen2_5_VLForConditionalGeneration", "Qwen2_5OmniModel"}) {
    const std::string config = R"({"architectures":[")" + std::string(architecture) + R"("],)" + qwen2_config({}) + "}";
    const Refusal refusal = refusal_of(config, random_qwen2({}));  // their class's sections are for heads of 128
    CHECK(refusal.code == ErrorCode::kInvalidCheckpoint && refusal.names("mrope_section"));
  }
}

TEST(absurd_picture_towers_are_refused_before_tensors_are_read) {
  const auto check_refused = [](const std::string& architecture, const std::string& members, const std::string& named) {
    const Refusal refusal = refusal_of(R"({"architectures":[")" + architecture + R"("],)" + members + "}", {});
    CHECK(refusal.code == ErrorCode::kInvalidCheckpoint || refusal.code == ErrorCode::kUnsupportedArchitecture);
    if (!refusal.names(named)) check::fail(__FILE__, __LINE__, members + " gave \"" + refusal.message + "\"");
  };
  const std::string llava = "LlavaForConditionalGeneration", onevision = "LlavaOnevisionForConditionalGeneration";
  check_refused(llava, R"("vision_config":{"num_attention_heads":5})", "num_attention_heads");
  check_refused(llava, R"("vision_config":{"model_type":"eva_vision_model"})", "eva_vision_model");
  check_refused(llava, R"("vision_config":{"patch_size":500})", "patch_size");
  check_refused(llava, R"("vision_feature_layer":-14)", "vision_feature_layer");
  check_refused(llava, R"("vision_feature_layer":[])", "vision_feature_layer");
  check_refused(llava, R"("vision_feature_select_strategy":"half")", "vision_feature_select_strategy");
  check_refused(llava, R"("text_config":{"model_type":"gpt9"})", "gpt9");
  check_refused(onevision, R"("vision_feature_select_strategy":"default","vision_config":{"model_type":"siglip_vision_model"})",
                "vision_feature_select_strategy");
  check_refused("Phi3VForCausalLM", R"("img_processor":{"image_dim_out":7})", "image_dim_out");
  check_refused("Phi3VForCausalLM", R"("embd_layer":{"hd_transform_order":"glb_sub"})", "embd_layer");
  check_refused("MiniCPMV", R"("query_num":0)", "query_num");
  check_refused("MiniCPMV", R"("hidden_size":160,"num_attention_heads":4,"num_key_value_heads":4)", "hidden_size");
  check_refused("MiniCPMV", R"("version":4.5)", "version");
}

TEST(names_of_vision_towers_agree) {
  for (const char* name :
       {"vision_tower.vision_model.post_layernorm.bias", "model.vision_tower.post_layernorm.bias",
        "model.vision_tower.vision_model.post_layernorm.bias", "vision_tower.post_layernorm.bias",
        "model.vision_embed_tokens.img_processor.vision_model.post_layernorm.bias", "vpm.post_layernorm.bias"}) {
    CHECK_EQ(normalized_tensor_name(name), std::string("vision_tower.post_layernorm.bias"));
  }
  CHECK_EQ(normalized_tensor_name("model.image_newline"), std::string("image_newline"));
  CHECK_EQ(normalized_tensor_name("model.multi_modal_projector.linear_1.bias"),
           std::string("multi_modal_projector.linear_1.bias"));
  CHECK_EQ(normalized_tensor_name("llm.lm_head.weight"), std::string("lm_head.weight"));
  CHECK_EQ(normalized_tensor_name("llm.model.norm.weight"), std::string("model.norm.weight"));
}

TEST(unknown_choices_are_refused) {
  constexpr ErrorCode kUnsupported = ErrorCode::kUnsupportedArchitecture;
  check_config_refused(qwen2_config({}) + R"(,"hidden_act":"sin")", kUnsupported, "sin");
  check_config_refused(qwen2_config({}) + R"(,"rope_scaling":{"type":"spiral"})", kUnsupported, "spiral");
}

TEST(config_must_be_an_object) {
  CHECK(refusal_of("[1]", {}).code == ErrorCode::kInvalidCheckpoint);
  CHECK(refusal_of("{", {}).code == ErrorCode::kInvalidCheckpoint);
  const TemporaryFolder empty;
  const std::unique_ptr<Backend> backend = exact_backend();
  CHECK_THROWS(load_model(empty.path(), *backend, {}), ErrorCode::kInvalidCheckpoint);
}

TEST(missing_and_misshapen_tensors_are_named) {
  const std::string config = kQwen2 + qwen2_config({}) + "}";
  for (const char* name : {"model.norm.weight", "model.layers.1.self_attn.k_proj.bias", "model.layers.0.mlp.up_proj.weight"}) {
    FloatTensors tensors = random_qwen2({});
    tensors.erase(name);
    const Refusal missing = refusal_of(config, tensors);
    CHECK(missing.code == ErrorCode::kInvalidCheckpoint && missing.names(name));
    tensors[name] = {{3}, {1, 2, 3}};
    const Refusal misshapen = refusal_of(config, tensors);
    CHECK(misshapen.code == ErrorCode::kInvalidCheckpoint && misshapen.names(name) && misshapen.names("[3]"));
  }
}

TEST(tensors_that_the_config_does_not_describe_are_told) {
  FloatTensors tensors = random_qwen2({});
  tensors["model.layers.0.self_attn.q_norm.weight"] = {{8}, std::vector<float>(8)};
  tensors["talker.model.norm.weight"] = {{8}, std::vector<float>(8)};
  tensors["model.layers.0.self_attn.rotary_emb.inv_freq"] = {{4}, std::vector<float>(4)};
  const TemporaryFolder folder;
  write_checkpoint(folder, kQwen2 + qwen2_config({}) + "}", tensors);
  const std::unique_ptr<Backend> backend = exact_backend();
  std::vector<std::string> unread;
  load_model(folder.path(), *backend, {}, &unread);
  CHECK_EQ(unread, std::vector<std::string>{"model.layers.0.self_attn.q_norm.weight"});
}

TEST(progress_rises_to_the_total) {
  const TemporaryFolder folder;
  write_checkpoint(folder, kQwen2 + qwen2_config({}) + "}", random_qwen2({}));
  const std::unique_ptr<Backend> backend = exact_backend();
  size_t last = 0, total = 0, num_calls = 0;
  const std::unique_ptr<Model> model = load_model(folder.path(), *backend, [&](size_t done_bytes, size_t total_bytes) {
    CHECK(done_bytes >= last);
    last = done_bytes;
    total = total_bytes;
    ++num_calls;
  });
  CHECK(num_calls > 10 && total > 0);
  CHECK_EQ(last, total);
  CHECK_EQ(static_cast<size_t>(model->info().num_parameters) * sizeof(float), total);
}

TEST(a_step_that_does_not_agree_with_itself_is_refused) {
  const TemporaryFolder folder;
  write_checkpoint(folder, kQwen2 + qwen2_config({}) + "}", random_qwen2({}));
  const std::unique_ptr<Backend> backend = exact_backend();
  const std::unique_ptr<Model> model = load_model(folder.path(), *backend, {});
  const std::unique_ptr<KvCache> cache = model->create_kv_cache(*backend, 1, 16);
  Arena arena;
  std::vector<float> logits(40);
  const std::vector<int32_t> block_table{0}, ids{1, 2}, bad_ids{1, 40}, slots{0, 1}, output_rows{1};
  const std::vector<float> positions{0, 1};
  const PagedSequence sequence{0, 2, 2, block_table};
  const auto run = [&](const ForwardBatch& batch) { model->forward(batch, *cache, arena, Matrix(logits.data(), 1, 40)); };
  const ForwardBatch good{ids, positions, positions, positions, slots, {&sequence, 1}, {}, output_rows};
  run(good);
  ForwardBatch bad = good;
  bad.token_ids = bad_ids;
  CHECK_THROWS(run(bad), ErrorCode::kInvalidArgument);
  bad = good;
  bad.positions_w = bad.positions_w.first(1);
  CHECK_THROWS(run(bad), ErrorCode::kInvalidArgument);
  bad = good;
  const EmbeddingOverlay overlay{1, ConstMatrix(logits.data(), 2, 16)};
  bad.overlays = {&overlay, 1};
  CHECK_THROWS(run(bad), ErrorCode::kInvalidArgument);
}

TEST(text_models_take_no_media) {
  const TemporaryFolder folder;
  write_checkpoint(folder, kQwen2 + qwen2_config({}) + "}", random_qwen2({}));
  const std::unique_ptr<Backend> backend = exact_backend();
  const std::unique_ptr<Model> model = load_model(folder.path(), *backend, {});
  Arena arena;
  const std::vector<int32_t> ids{1};
  const std::vector<MediaItem> media(1);
  CHECK_THROWS(model->positions(ids, media), ErrorCode::kInvalidMedia);
  CHECK_THROWS(model->num_encoder_rows({}), ErrorCode::kInvalidMedia);
  CHECK_THROWS(model->encode({}, arena), ErrorCode::kInvalidMedia);
}
