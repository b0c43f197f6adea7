#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

namespace sensorium {

/// Whisper's rules of timestamp tokens, which follow each other from `no_timestamps_id` + 1 to the end of the vocabulary.
struct TimestampRules {
  int32_t no_timestamps_id = 0;
  int32_t eos_id = 0;
  /// The first timestamp is at most this many steps after the beginning; absent: any.
  std::optional<int32_t> max_initial_index;
};

/// What an answer may consist of, whatever the logits say. Applied after the penalties, in this order; log-probabilities are
/// those of the tokens that are left.
struct DecodingRules {
  std::vector<int32_t> begin_suppressed_ids;  ///< never the first token
  std::vector<int32_t> suppressed_ids;        ///< never chosen
  std::optional<TimestampRules> timestamps;

  bool empty() const { return begin_suppressed_ids.empty() && suppressed_ids.empty() && !timestamps; }
};

/// Sets the logits of tokens that the rules forbid after `output_ids` to minus infinity. Ids outside the vocabulary count for
/// nothing. Source: Hugging Face's logits processors of Whisper.
void apply_rules(const DecodingRules& rules, std::span<const int32_t> output_ids, std::span<float> logits);

}  // namespace sensorium
