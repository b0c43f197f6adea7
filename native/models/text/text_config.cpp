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
  heads.num_kv_heads = section.count({"num_key_value_heads"}, std::min(heads.num_kv_heads, heads.num_heads), kMaxWidth);
  if (heads.num_heads % heads.num_kv_heads != 0) section.fail("num_key_value_heads", "does not divide num_attention_heads");
  const std::optional<int64_t> head_dim = section.optional_count({"head_dim"}, kMaxWidth);
  if (!head_dim && config.hidden_size % heads.num_heads != 0) {
    section.fail("num_attention_heads", "does not divide hidden_size, and head_dim is not given");
  }
  heads.head_dim = head_dim.value_or(config.hidden_size / heads.num_heads);
  if (heads.head_dim % 2 != 0) section.fail("head_dim", "expected an even number");
}

/// Layers from max_window_layers on see only a window of the past when sliding windows are in use.
void refuse_sliding_window(const ConfigSection& section, const TextConfig& config) {
  const std::vector<std::string> kinds = section.texts("layer_types");
  bool is_sliding = std::find(kinds.begin(), kinds.end(), "sliding_attention") != kinds.end();
  if (kinds.empty() && section.flag({"use_sliding_window"}, false) && section.has("sliding_window")) {
    is_sliding = section.count({"max_window_layers"}, config.num_layers, kMaxLayers) < config.num_layers;
  }
  if (is_sliding) section.fail_unsupported("use_sliding_window", "sliding-window attention is not supported");
}

void read_sections(const ConfigSection& rope, RotaryConfig& rotary) {
  const std::vector<int64_t> sizes = rope.integers({"mrope_section"}, {}, kMaxWidth);
  if (sizes.empty()) return;
  if (sizes.size() != 3 || sizes[0] + sizes[1] + sizes[2] != rotary.rotary_dim / 2) {
    rope.fail("mrope_section", "expected three sizes whose sum is half of the head dimension");
  }
  rotary.sections = ops::MropeSections{{sizes[0], sizes[1], sizes[2]}, rope.flag({"mrope_interleaved"}, false)};
}

void read_yarn(const ConfigSection& rope, RotaryConfig& rotary) {
  rotary.beta_fast = rope.positive({"beta_fast"}, 32.0);
  rotary.beta_slow = rope.positive({"beta_slow"}, 1.0);
  const double growth = rotary.factor <= 1.0 ? 1.0 : 0.1 * std::log(rotary.factor) + 1.0;
  rotary.attention_factor = rope.positive({"attention_factor"}, growth);
}

void read_scaling(const ConfigSection& rope, int64_t max_position, RotaryConfig& rotary) {
  const std::string type = rope.text({"rope_type", "type"}, "default");
  if (type == "default" || type == "mrope") return;
  rotary.factor = rope.positive({"factor"}, 1.0);
  rotary.original_max_position = rope.positive({"original_max_position_embeddings"}, static_cast<double>(max_position));
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
  } else {
    rope.fail_unsupported("rope_type",
                          "unknown RoPE scaling \"" + type + "\" (supported: default, mrope, linear, llama3, yarn)");
  }
}

/// `rope_parameters` (newer) or `rope_scaling` (older) with `rope_theta` inside or beside it.
RotaryConfig read_rotary(const ConfigSection& section, const TextConfig& config) {
  const ConfigSection rope = section.section(section.has("rope_parameters") ? "rope_parameters" : "rope_scaling");
  RotaryConfig rotary = config.rotary;
  rotary.rotary_dim = config.heads.head_dim;
  rotary.theta = rope.positive({"rope_theta"}, section.positive({"rope_theta"}, rotary.theta));
  if (rotary.theta <= 1.0) section.fail("rope_theta", "expected a number above 1");
  read_sections(rope, rotary);
  read_scaling(rope, config.max_position_embeddings, rotary);
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
  read_heads(section, config);
  refuse_sliding_window(section, config);
  config.rotary = read_rotary(section, config);
  return config;
}

TextConfig read_composite_text_config(const ConfigSection& config, TextConfig defaults) {
  TextConfig text = read_text_config(config.section_over_this("text_config"), std::move(defaults));
  text.is_tied = config.flag({"tie_word_embeddings"}, text.is_tied);
  return text;
}

}  // namespace sensorium
