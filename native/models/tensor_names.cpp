#include "models/tensor_names.h"

#include <array>
#include <utility>

namespace sensorium {
namespace {

constexpr std::array<std::string_view, 3> kUnusedPrefixes{"talker.", "token2wav.", "code2wav."};
constexpr std::array<std::string_view, 3> kUnusedSuffixes{".inv_freq", ".position_ids", ".audio_bos_eos_token.weight"};

/// Applied in this order, each at most once.
constexpr std::array<std::pair<std::string_view, std::string_view>, 15> kPrefixRules{{
    {"thinker.", ""},
    {"model.language_model.", "language_model."},
    {"model.visual.", "visual."},
    {"model.audio_tower.", "audio_tower."},
    {"model.multi_modal_projector.", "multi_modal_projector."},
    {"model.vision_tower.", "vision_tower."},
    {"model.vision_embed_tokens.img_processor.", "vision_tower."},
    {"model.image_newline", "image_newline"},
    {"vision_tower.vision_model.", "vision_tower."},
    {"vpm.", "vision_tower."},
    {"llm.", ""},
    {"language_model.lm_head.", "lm_head."},
    {"language_model.model.", "model."},
    {"language_model.", "model."},
    {"model.model.", "model."},
}};

}  // namespace

std::string normalized_tensor_name(std::string_view disk_name) {
  for (const std::string_view prefix : kUnusedPrefixes) {
    if (disk_name.starts_with(prefix)) return {};
  }
  for (const std::string_view suffix : kUnusedSuffixes) {
    if (disk_name.ends_with(suffix)) return {};
  }
  std::string name(disk_name);
  for (const auto& [from, to] : kPrefixRules) {
    if (name.starts_with(from)) name.replace(0, from.size(), to);
  }
  return name;
}

}  // namespace sensorium
