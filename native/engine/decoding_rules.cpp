#include "engine/decoding_rules.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "engine/softmax.h"

namespace sensorium {
namespace {

constexpr float kForbidden = -std::numeric_limits<float>::infinity();

void forbid(std::span<float> logits, int64_t begin, int64_t end) {
  const auto size = static_cast<int64_t>(logits.size());
  begin = std::clamp<int64_t>(begin, 0, size);
  end = std::clamp<int64_t>(end, begin, size);
  std::fill(logits.begin() + begin, logits.begin() + end, kForbidden);
}

void forbid_each(std::span<float> logits, std::span<const int32_t> token_ids) {
  for (const int32_t token_id : token_ids) forbid(logits, token_id, int64_t{token_id} + 1);
}

/// Logarithm of the sum of exp(logit); `maximum` is the largest.
double log_sum_exp(std::span<const float> logits, float maximum) {
  double sum = 0;
  for (const float logit : logits) sum += static_cast<double>(exp_nonpositive(logit - maximum));
  return static_cast<double>(maximum) + std::log(sum);
}

/// Timestamps come in pairs, end and next beginning, except right before the end; time never runs backwards.
void forbid_by_history(const TimestampRules& rules, std::span<const int32_t> output_ids, std::span<float> logits) {
  const int32_t first_id = rules.no_timestamps_id + 1;
  const auto is_timestamp = [&](int32_t token_id) { return token_id >= first_id; };
  const size_t length = output_ids.size();
  const bool is_last = length >= 1 && is_timestamp(output_ids[length - 1]);
  const bool is_second_last = length < 2 || is_timestamp(output_ids[length - 2]);
  if (is_last && is_second_last) {
    forbid(logits, first_id, std::ssize(logits));
  } else if (is_last) {
    forbid(logits, 0, rules.eos_id);
  }
  const auto newest = std::find_if(output_ids.rbegin(), output_ids.rend(), is_timestamp);
  if (newest == output_ids.rend()) return;
  const bool may_repeat = is_last && !is_second_last;
  forbid(logits, first_id, int64_t{*newest} + (may_repeat ? 0 : 1));
}

/// When all timestamps together are likelier than the likeliest text token, the next token is one of them.
void forbid_unlikely_text(int64_t first_id, std::span<float> logits) {
  if (first_id >= std::ssize(logits)) return;
  const std::span<float> text = logits.first(static_cast<size_t>(first_id));
  const std::span<float> timestamps = logits.subspan(static_cast<size_t>(first_id));
  const float best_text = *std::max_element(text.begin(), text.end());
  const float best_timestamp = *std::max_element(timestamps.begin(), timestamps.end());
  if (best_timestamp == kForbidden) return;
  if (log_sum_exp(timestamps, best_timestamp) > static_cast<double>(best_text)) forbid(logits, 0, first_id);
}

void apply_timestamps(const TimestampRules& rules, std::span<const int32_t> output_ids, std::span<float> logits) {
  const int64_t first_id = int64_t{rules.no_timestamps_id} + 1;
  forbid(logits, rules.no_timestamps_id, first_id);
  forbid_by_history(rules, output_ids, logits);
  if (output_ids.empty()) {
    forbid(logits, 0, first_id);
    if (rules.max_initial_index) forbid(logits, first_id + *rules.max_initial_index + 1, std::ssize(logits));
  }
  forbid_unlikely_text(first_id, logits);
}

}  // namespace

void apply_rules(const DecodingRules& rules, std::span<const int32_t> output_ids, std::span<float> logits) {
  if (output_ids.empty()) forbid_each(logits, rules.begin_suppressed_ids);
  forbid_each(logits, rules.suppressed_ids);
  if (rules.timestamps) apply_timestamps(*rules.timestamps, output_ids, logits);
}

}  // namespace sensorium
