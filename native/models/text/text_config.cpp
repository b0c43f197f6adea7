#include "models/text/text_config.h"

#include <algorithm>
#include <cmath>

namespace sensorium {
namespace {

constexpr int64_t kMaxVocab = int64_t{1} << 24;
constexpr int64_t kMaxContext = int64_t{1} << 28;

void read_heads(const ConfigSection& section, TextConfig& config) {
  ops::HeadShape& heads = config.heads;
  heads.num_heads = section.count({"num_attention_heads"}, heads.num_heads, kMaxWidth);
  const bool has_own_kv_heads = section.is_null("num_key_value_heads");  // as many as there are heads
  const int64_t usual_kv_heads = has_own_kv_heads ? heads.num_heads : std::min(heads.num_kv_heads, heads.num_heads);
  heads.num_kv_heads = section.count({"num_key_value_heads"}, usual_kv_heads, kMaxWidth);
  if (heads.num_heads % heads.num_kv_heads != 0) section.fail("num_key_value_heads", "does not divide num_attention_heads");
  const int64_t default_dim = heads.head_dim > 0 ? heads.head_dim : config.hidden_size / heads.num_heads;
  const std::optional<int64_t> head_dim = section.optional_count({"head_dim"}, kMaxWidth);
  if (!head_dim && heads.head_dim == 0 && config.hidden_size % heads.num_heads != 0) {
    section.fail("num_attention_heads", "does not divide hidden_size, and head_dim is not given");
  }
  heads.head_dim = head_dim.value_or(default_dim);
  if (heads.head_dim % 2 != 0) section.fail("head_dim", "expected an even number");
}

/// Which layers' tokens see only a window of the past: `layer_types` says it layer by layer, else those from max_window_layers
/// on do where sliding windows are in use.
void read_windows(const ConfigSection& section, TextConfig& config) {
  const bool is_used = section.flag({"use_sliding_window"}, config.has_sliding_window);
  if (!is_used || section.is_null("sliding_window")) config.sliding_window.reset();
  if (const auto window = section.optional_count({"sliding_window"}, kMaxContext)) config.sliding_window = window;
  const int64_t first = section.index({"max_window_layers"}, config.first_sliding_layer, kMaxLayers);
  config.layer_windows.assign(static_cast<size_t>(config.num_layers), kWholeContext);
  const std::vector<std::string> kinds = section.texts("layer_types");
  if (!kinds.empty() && std::ssize(kinds) != config.num_layers) section.fail("layer_types", "expected one for each layer");
  for (int64_t i = 0; i < config.num_layers; ++i) {
    bool is_sliding = kinds.empty() && is_used && i >= first;
    if (!kinds.empty()) {
      const std::string& kind = kinds[static_cast<size_t>(i)];
      is_sliding = kind == "sliding_attention";
      if (!is_sliding && kind != "full_attention") section.fail_unsupported("layer_types", "unknown kind \"" + kind + "\"");
      if (is_sliding && !config.sliding_window) section.fail("sliding_window", "is missing, but layer_types asks for it");
    }
    if (is_sliding && config.sliding_window) config.layer_windows[static_cast<size_t>(i)] = *config.sliding_window;
  }
}

/// `attention_bias` and `mlp_bias`, which Llama's class has, count for all four matrices of an attention.
void read_biases(const ConfigSection& section, TextConfig& config) {
  if (section.has("attention_bias")) {
    const bool has_bias = section.flag({"attention_bias"}, false);
    config.has_qkv_bias = config.has_qkv_bias || has_bias;
    config.has_attention_out_bias = has_bias;
  }
  config.has_mlp_bias = section.flag({"mlp_bias"}, config.has_mlp_bias);
}

void read_sections(const ConfigSection& rope, RotaryConfig& rotary) {
  std::vector<int64_t> sizes = rope.integers({"mrope_section"}, {}, kMaxWidth);
  if (sizes.empty() && !rotary.sections) return;
  if (sizes.empty()) sizes.assign(rotary.sections->sizes.begin(), rotary.sections->sizes.end());
  const bool is_interleaved = rotary.sections && rotary.sections->is_interleaved;
  if (sizes.size() != 3 || sizes[0] + sizes[1] + sizes[2] != rotary.rotary_dim / 2) {
    rope.fail("mrope_section", "expected three sizes whose sum is half of the head dimension");
  }
  rotary.sections = ops::MropeSections{{sizes[0], sizes[1], sizes[2]}, rope.flag({"mrope_interleaved"}, is_interleaved)};
}

void read_yarn(const ConfigSection& rope, RotaryConfig& rotary) {
  rotary.beta_fast = rope.positive({"beta_fast"}, 32.0);
  rotary.beta_slow = rope.positive({"beta_slow"}, 1.0);
  const double growth = rotary.factor <= 1.0 ? 1.0 : 0.1 * std::log(rotary.factor) + 1.0;
  rotary.attention_factor = rope.positive({"attention_factor"}, growth);
}

/// Source: Hugging Face's _compute_longrope_parameters.
void read_longrope(const ConfigSection& rope, int64_t max_position, RotaryConfig& rotary) {
  rotary.scaling = RotaryScaling::kLongRope;
  rotary.short_factors = rope.positives("short_factor");
  rotary.long_factors = rope.positives("long_factor");
  for (const auto& [key, factors] : {std::pair("short_factor", &rotary.short_factors), {"long_factor", &rotary.long_factors}}) {
    if (std::ssize(*factors) == rotary.rotary_dim / 2) continue;
    rope.fail(key, "expected " + std::to_string(rotary.rotary_dim / 2) + " numbers, one for each frequency");
  }
  if (rotary.original_max_position < 2.0 || rotary.original_max_position > static_cast<double>(kMaxContext)) {
    rope.fail("original_max_position_embeddings", "expected a number of tokens");
  }
  const bool has_original = rotary.original_max_position != static_cast<double>(max_position);
  const double growth = has_original ? static_cast<double>(max_position) / rotary.original_max_position : rotary.factor;
  const double factor = growth <= 1.0 ? 1.0 : std::sqrt(1.0 + std::log(growth) / std::log(rotary.original_max_position));
  rotary.attention_factor = rope.positive({"attention_factor"}, factor);
}

void read_scaling(const ConfigSection& section, const ConfigSection& rope, int64_t max_position, RotaryConfig& rotary) {
  const std::string type = rope.text({"rope_type", "type"}, "default");
  if (type == "default" || type == "mrope") return;
  rotary.factor = rope.positive({"factor"}, 1.0);
  rotary.original_max_position =
      rope.positive({"original_max_position_embeddings"},
                    section.positive({"original_max_position_embeddings"}, static_cast<double>(max_position)));
  if (type == "linear") {
    rotary.scaling = RotaryScaling::kLinear;
  } else if (type == "llama3") {
    rotary.scaling = RotaryScaling::kLlama3;
    rotary.low_freq_factor = rope.positive({"low_freq_factor"}, 1.0);
    rotary.high_freq_factor = rope.positive({"high_freq_factor"}, 4.0);
    if (rotary.high_freq_factor <= rotary.low_freq_factor) rope.fail("high_freq_factor", "expected more than low_freq_factor");
  } else if (type == "yarn") {
    rotary.scaling = RotaryScaling::kYarn;
    read_yarn(rope, rotary);
  } else if (type == "longrope" || type == "su") {
    read_longrope(rope, max_position, rotary);
  } else {
    rope.fail_unsupported(
        "rope_type", "unknown RoPE scaling \"" + type + "\" (supported: default, mrope, linear, llama3, yarn, longrope, su)");
  }
}

/// Phi-4 and others rotate only the first part of a head.
int64_t rotary_dim_of(const ConfigSection& section, const ConfigSection& rope, int64_t head_dim) {
  const double part = rope.positive({"partial_rotary_factor"}, section.positive({"partial_rotary_factor"}, 1.0));
  const auto dim = static_cast<int64_t>(static_cast<double>(head_dim) * std::min(part, 2.0));
  if (part > 1.0 || dim < 2 || dim % 2 != 0) section.fail("partial_rotary_factor", "does not give an even part of head_dim");
  return dim;
}

/// `rope_parameters` (newer) or `rope_scaling` (older) with `rope_theta` inside or beside it.
RotaryConfig read_rotary(const ConfigSection& section, const TextConfig& config) {
  const ConfigSection rope = section.section(section.has("rope_parameters") ? "rope_parameters" : "rope_scaling");
  RotaryConfig rotary = config.rotary;
  rotary.rotary_dim = rotary_dim_of(section, rope, config.heads.head_dim);
  rotary.theta = rope.positive({"rope_theta"}, section.positive({"rope_theta"}, rotary.theta));
  if (rotary.theta <= 1.0) section.fail("rope_theta", "expected a number above 1");
  read_sections(rope, rotary);
  read_scaling(section, rope, config.max_position_embeddings, rotary);
  return rotary;
}

}  // namespace

TextConfig read_text_config(const ConfigSection& section, TextConfig config) {
  config.vocab_size = section.count({"vocab_size"}, config.vocab_size, kMaxVocab);
  config.hidden_size = section.count({"hidden_size"}, config.hidden_size, kMaxWidth);
  config.intermediate_size = section.count({"intermediate_size"}, config.intermediate_size, kMaxWidth);
  config.num_layers = section.count({"num_hidden_layers"}, config.num_layers, kMaxLayers);
  config.max_position_embeddings = section.count({"max_position_embeddings"}, config.max_position_embeddings, kMaxContext);
  config.rms_norm_eps = static_cast<float>(section.positive({"rms_norm_eps"}, static_cast<double>(config.rms_norm_eps)));
  config.activation = section.activation({"hidden_act"}, "silu");
  config.is_tied = section.flag({"tie_word_embeddings"}, config.is_tied);
  read_biases(section, config);
  read_heads(section, config);
  read_windows(section, config);
  config.rotary = read_rotary(section, config);
  if (config.moe) config.moe = read_moe_config(section, *config.moe);
  return config;
}

TextConfig read_composite_text_config(const ConfigSection& config, TextConfig defaults) {
  TextConfig text = read_text_config(config.section_over_this("text_config"), std::move(defaults));
  text.is_tied = config.flag({"tie_word_embeddings"}, text.is_tied);
  return text;
}

}  // namespace sensorium
