#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <iterator>
#include <string>
#include <vector>

#include "backend_testing.h"
#include "checkpoint_writer.h"

/// Language models of random sizes that no kernel likes, and what their parts are written with.
namespace sensorium::testing {

/// Members of a JSON object, in the order in which they were set.
class Members {
 public:
  Members& set(const std::string& key, int64_t value) { return raw(key, std::to_string(value)); }
  Members& set(const std::string& key, bool value) { return raw(key, value ? "true" : "false"); }
  Members& text(const std::string& key, const std::string& value) { return raw(key, "\"" + value + "\""); }
  Members& raw(const std::string& key, const std::string& json) {
    members_ += (members_.empty() ? "\"" : ",\"") + key + "\":" + json;
    return *this;
  }
  std::string object() const { return "{" + members_ + "}"; }

 private:
  std::string members_;
};

inline std::string list(const std::vector<int64_t>& values) {
  std::string json = "[";
  for (const int64_t value : values) {
    if (json.size() > 1) json += ",";
    json += std::to_string(value);
  }
  return json + "]";
}

/// Choices of one checkpoint, the same in every run.
class Dice {
 public:
  explicit Dice(uint32_t seed) : random_(seed) {}
  int64_t from(int64_t low, int64_t high) { return low + random_.below(static_cast<int32_t>(high - low + 1)); }
  bool flip() { return from(0, 1) == 1; }
  template <typename T>
  T one_of(std::initializer_list<T> values) {
    return *(values.begin() + from(0, static_cast<int64_t>(values.size()) - 1));
  }
  Random& random() { return random_; }

 private:
  Random random_;
};

/// Collects tensors whose values keep activations near 1: matrices by their rows' length, norms near 1, biases small.
class TensorMaker {
 public:
  TensorMaker(FloatTensors& tensors, Dice& dice) : tensors_(tensors), dice_(dice) {}
  void add(const std::string& name, std::vector<int64_t> shape) {
    int64_t count = 1;
    for (const int64_t size : shape) count *= size;
    const bool is_vector = shape.size() == 1, is_bias = name.ends_with("bias");
    const float scale = is_vector ? 0.1F : 1.0F / std::sqrt(static_cast<float>(count / shape.front()));
    std::vector<float> values = dice_.random().normal(count, scale);
    for (float& value : values) value += is_vector && !is_bias ? 1.0F : 0.0F;
    tensors_[name] = {std::move(shape), std::move(values)};
  }
  void linear(const std::string& name, int64_t out, int64_t in, bool has_bias = true) {
    add(name + ".weight", {out, in});
    if (has_bias) add(name + ".bias", {out});
  }
  void norm(const std::string& name, int64_t size, bool has_bias = true) {
    add(name + ".weight", {size});
    if (has_bias) add(name + ".bias", {size});
  }

 private:
  FloatTensors& tensors_;
  Dice& dice_;
};

/// Sizes and choices of a random decoder-only language model.
struct TinyText {
  int64_t vocab_size, hidden_size, intermediate_size, num_layers, num_heads, num_kv_heads, head_dim;
  bool has_qkv_bias = false, has_out_bias = false, has_mlp_bias = false, has_qk_norm = false, is_fused = false, is_tied = false;
  int64_t num_experts = 0, num_chosen = 0, expert_size = 0;  ///< 0 experts: none
  bool is_renormalized = true, is_stacked = false, is_transposed = false;
  std::string rope;  ///< further members of the config, or empty
};

inline TinyText roll_text(Dice& dice) {
  TinyText text{};
  text.vocab_size = dice.one_of<int64_t>({61, 90, 127, 131, 200});
  text.hidden_size = dice.one_of<int64_t>({18, 33, 45, 60, 81, 97, 130});
  text.intermediate_size = dice.one_of<int64_t>({1, 19, 50, 75, 106, 151});
  text.num_layers = dice.from(1, 3);
  text.num_kv_heads = dice.from(1, 3);
  text.num_heads = text.num_kv_heads * dice.from(1, 8);
  text.head_dim = dice.one_of<int64_t>({8, 12, 16, 20, 24, 36, 40, 64, 72, 80, 96, 106, 128});
  text.is_tied = dice.flip();
  return text;
}

inline void roll_experts(Dice& dice, TinyText& text) {
  text.num_experts = dice.from(3, 20) * dice.from(1, 3);
  text.num_chosen = std::min<int64_t>(text.num_experts, dice.from(1, 8));
  text.expert_size = dice.one_of<int64_t>({1, 7, 12, 33});
  text.is_renormalized = dice.flip();
  text.is_stacked = dice.flip();
  text.is_transposed = dice.flip();
}

/// Every kind of RoPE scaling, and heads of which only a part is rotated.
inline void roll_rope(Dice& dice, TinyText& text) {
  const int64_t kind = dice.from(0, 6);
  const auto factors = [&](int64_t count) {
    std::vector<int64_t> values;
    for (int64_t i = 0; i < count; ++i) values.push_back(1 + i % 7);
    return list(values);
  };
  Members rope;
  if (kind == 1) rope.text("rope_type", "linear").raw("factor", "2.5");
  if (kind == 2) {
    rope.text("rope_type", "llama3").raw("factor", "8").raw("low_freq_factor", "1").raw("high_freq_factor", "4");
    rope.set("original_max_position_embeddings", int64_t{32});
  }
  if (kind == 3) rope.text("type", "yarn").raw("factor", "4").set("original_max_position_embeddings", int64_t{24});
  if (kind == 4) {
    rope.text("type", "longrope")
        .raw("short_factor", factors(text.head_dim / 2))
        .raw("long_factor", factors(text.head_dim / 2));
    rope.set("original_max_position_embeddings", dice.one_of<int64_t>({20, 500}));
  }
  Members members;
  if (kind >= 1 && kind <= 4) members.raw("rope_scaling", rope.object());
  if (kind == 5 && text.head_dim % 4 == 0) members.raw("partial_rotary_factor", "0.5");
  if (kind == 6) members.raw("rope_parameters", R"({"rope_type":"default","rope_theta":700})");
  text.rope = members.object();
}

/// Three sizes whose sum is half of head_dim.
inline std::vector<int64_t> roll_sections(Dice& dice, int64_t head_dim, bool is_interleaved) {
  const int64_t half = head_dim / 2;
  const int64_t height = is_interleaved ? dice.from(0, half / 3) : dice.from(0, half), rest = half - height;
  const int64_t width = is_interleaved ? std::min(rest, dice.from(0, half / 3)) : dice.from(0, rest);
  return {half - height - width, height, width};
}

inline Members text_members(const TinyText& text) {
  Members members;
  members.set("vocab_size", text.vocab_size).set("hidden_size", text.hidden_size);
  members.set("intermediate_size", text.intermediate_size).set("num_hidden_layers", text.num_layers);
  members.set("num_attention_heads", text.num_heads).set("num_key_value_heads", text.num_kv_heads);
  members.set("head_dim", text.head_dim).set("tie_word_embeddings", text.is_tied).set("max_position_embeddings", int64_t{512});
  if (text.has_out_bias) members.set("attention_bias", true);
  if (text.has_mlp_bias) members.set("mlp_bias", true);
  if (text.num_experts > 0) {
    members.set("num_experts", text.num_experts).set("num_experts_per_tok", text.num_chosen);
    members.set("moe_intermediate_size", text.expert_size).set("norm_topk_prob", text.is_renormalized);
  }
  return members;
}

inline void add_experts(const TinyText& text, const std::string& mlp, TensorMaker& maker) {
  const int64_t count = text.num_experts, inner = text.expert_size, hidden = text.hidden_size;
  maker.linear(mlp + "gate", count, hidden, false);
  if (text.is_stacked) {
    using Shape3 = std::vector<int64_t>;
    maker.add(mlp + "experts.gate_up_proj",
              text.is_transposed ? Shape3{count, hidden, 2 * inner} : Shape3{count, 2 * inner, hidden});
    maker.add(mlp + "experts.down_proj", text.is_transposed ? Shape3{count, inner, hidden} : Shape3{count, hidden, inner});
    return;
  }
  for (int64_t expert = 0; expert < count; ++expert) {
    const std::string name = mlp + "experts." + std::to_string(expert) + ".";
    maker.linear(name + "gate_proj", inner, hidden, false);
    maker.linear(name + "up_proj", inner, hidden, false);
    maker.linear(name + "down_proj", hidden, inner, false);
  }
}

inline void add_mlp(const TinyText& text, const std::string& mlp, TensorMaker& maker) {
  const int64_t inner = text.intermediate_size, hidden = text.hidden_size;
  if (text.is_fused) {
    maker.linear(mlp + "gate_up_proj", 2 * inner, hidden, text.has_mlp_bias);
  } else {
    maker.linear(mlp + "gate_proj", inner, hidden, text.has_mlp_bias);
    maker.linear(mlp + "up_proj", inner, hidden, text.has_mlp_bias);
  }
  maker.linear(mlp + "down_proj", hidden, inner, text.has_mlp_bias);
}

/// Tensors under `prefix`, "model." for most.
inline void add_text(const TinyText& text, const std::string& prefix, const std::string& head, TensorMaker& maker) {
  const int64_t q = text.num_heads * text.head_dim, kv = text.num_kv_heads * text.head_dim, hidden = text.hidden_size;
  maker.linear(prefix + "embed_tokens", text.vocab_size, hidden, false);
  for (int64_t i = 0; i < text.num_layers; ++i) {
    const std::string layer = prefix + "layers." + std::to_string(i) + ".";
    maker.norm(layer + "input_layernorm", hidden, false);
    maker.norm(layer + "post_attention_layernorm", hidden, false);
    if (text.is_fused) {
      maker.linear(layer + "self_attn.qkv_proj", q + 2 * kv, hidden, text.has_qkv_bias);
    } else {
      maker.linear(layer + "self_attn.q_proj", q, hidden, text.has_qkv_bias);
      maker.linear(layer + "self_attn.k_proj", kv, hidden, text.has_qkv_bias);
      maker.linear(layer + "self_attn.v_proj", kv, hidden, text.has_qkv_bias);
    }
    maker.linear(layer + "self_attn.o_proj", hidden, q, text.has_out_bias);
    for (const char* name : {"q_norm", "k_norm"}) {
      if (text.has_qk_norm) maker.norm(layer + "self_attn." + name, text.head_dim, false);
    }
    text.num_experts > 0 ? add_experts(text, layer + "mlp.", maker) : add_mlp(text, layer + "mlp.", maker);
  }
  maker.norm(prefix + "norm", hidden, false);
  if (!text.is_tied) maker.linear(head, text.vocab_size, hidden, false);
}

}  // namespace sensorium::testing
