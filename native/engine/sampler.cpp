#include "engine/sampler.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "engine/random.h"

namespace sensorium {
namespace {

void apply_bias(std::span<float> logits, const SamplingParams& params) {
  for (const auto& [token_id, bias] : params.logit_bias) logits[static_cast<size_t>(token_id)] += bias;
}

void apply_penalties(std::span<float> logits, const SamplingParams& params, const TokenHistory& history) {
  for (const auto& [token_id, count] : history.counts()) {
    if (static_cast<size_t>(token_id) >= logits.size()) continue;  // a placeholder beyond the vocabulary
    float& logit = logits[static_cast<size_t>(token_id)];
    logit = logit > 0.0F ? logit / params.repetition_penalty : logit * params.repetition_penalty;
    if (count > 0) logit -= params.frequency_penalty * static_cast<float>(count) + params.presence_penalty;
  }
}

/// Says whose fault it is that a logit is not finite: that of the model, whose logits are given, or of what changed them.
[[noreturn]] void refuse_infinite(std::span<const float> logits) {
  if (!find_maximum(logits).is_finite) throw Error(ErrorCode::kInternal, "the model's logits are not finite");
  throw Error(ErrorCode::kInvalidArgument, "logit_bias or penalties are so large that a logit overflows");
}

}  // namespace

bool has_penalty(const SamplingParams& params) {
  return params.repetition_penalty != 1.0F || params.presence_penalty != 0.0F || params.frequency_penalty != 0.0F;
}

SampledToken Sampler::sample(std::span<const float> logits, const SamplerInput& input) {
  const SamplingParams& params = input.params;
  const std::span<const float> seen = ruled(penalized(logits, input), input);
  SampledToken result;
  double log_sum = 0;
  if (params.num_logprobs) log_sum = begin_logprob(seen, *params.num_logprobs, result.logprob.emplace());
  const std::span<const float> allowed = only_allowed(seen, input);
  if (params.temperature == 0.0F) {
    result.token_id = find_first(allowed, maximum_);
  } else {
    const double uniform = uniform_draw(input.seed, static_cast<uint32_t>(input.index), static_cast<uint64_t>(input.step));
    result.token_id = filter(allowed, params) ? draw_candidate(uniform) : draw_any(uniform);
  }
  if (result.logprob) end_logprob(allowed, log_sum, result.token_id, *result.logprob);
  return result;
}

std::vector<float> Sampler::distribution(std::span<const float> logits, const SamplerInput& input) {
  std::vector<float> probabilities(logits.size(), 0.0F);
  const std::span<const float> allowed = only_allowed(ruled(penalized(logits, input), input), input);
  if (input.params.temperature == 0.0F) {
    probabilities[static_cast<size_t>(find_first(allowed, maximum_))] = 1.0F;
  } else if (filter(allowed, input.params)) {
    double sum = 0;
    for (const Candidate& candidate : candidates_) sum += candidate.value;
    for (const Candidate& candidate : candidates_) {
      probabilities[static_cast<size_t>(candidate.token_id)] = static_cast<float>(candidate.value / sum);
    }
  } else {
    for (size_t i = 0; i < probabilities.size(); ++i) probabilities[i] = static_cast<float>(weights_[i] / total_weight_);
  }
  return probabilities;
}

std::span<const float> Sampler::penalized(std::span<const float> logits, const SamplerInput& input) {
  std::span<const float> result = logits;
  if (!input.params.logit_bias.empty() || has_penalty(input.params)) {
    const std::span<float> changed = writable(logits);
    apply_bias(changed, input.params);
    if (has_penalty(input.params)) apply_penalties(changed, input.params, input.history);
    result = changed;
  }
  const Extremum extremum = find_maximum(result);
  if (!extremum.is_finite) refuse_infinite(logits);
  maximum_ = extremum.maximum;
  return result;
}

std::span<const float> Sampler::ruled(std::span<const float> logits, const SamplerInput& input) {
  if (input.params.rules.empty()) return logits;
  const std::span<float> changed = writable(logits);
  apply_rules(input.params.rules, input.output_ids, changed);
  find_choice(changed);
  return changed;
}

std::span<const float> Sampler::only_allowed(std::span<const float> logits, const SamplerInput& input) {
  const std::vector<int32_t>& ids = input.params.allowed_ids;
  if (ids.empty()) return without_banned(logits, input.banned_ids);
  candidates_.clear();
  for (const int32_t id : ids) candidates_.push_back({id, logits[static_cast<size_t>(id)]});
  const std::span<float> changed = writable(logits);
  std::fill(changed.begin(), changed.end(), -std::numeric_limits<float>::infinity());
  for (const Candidate& candidate : candidates_) changed[static_cast<size_t>(candidate.token_id)] = candidate.value;
  find_choice(changed);
  return without_banned(changed, input.banned_ids);
}

std::span<const float> Sampler::without_banned(std::span<const float> logits, std::span<const int32_t> banned_ids) {
  banned_.clear();
  if (banned_ids.empty()) return logits;
  const std::span<float> changed = writable(logits);
  for (const int32_t token_id : banned_ids) {
    if (static_cast<size_t>(token_id) >= changed.size()) continue;
    float& logit = changed[static_cast<size_t>(token_id)];
    banned_.push_back({token_id, logit});
    logit = -std::numeric_limits<float>::infinity();
  }
  find_choice(changed);
  return changed;
}

void Sampler::find_choice(std::span<const float> logits) {
  maximum_ = find_maximum(logits).maximum;
  if (!std::isfinite(maximum_)) {
    throw Error(ErrorCode::kInvalidArgument, "stop ids, allowed ids and decoding rules leave no token to choose from");
  }
}

std::span<float> Sampler::writable(std::span<const float> logits) {
  if (logits.data() != scratch_.data()) scratch_.assign(logits.begin(), logits.end());
  return scratch_;
}

double Sampler::begin_logprob(std::span<const float> logits, int32_t num_logprobs, TokenLogprob& logprob) {
  weights_.resize(logits.size());
  const double log_sum = maximum_ + std::log(exp_weights(logits, maximum_, 1.0F, weights_, stretch_sums_));
  select_top(logits, static_cast<size_t>(num_logprobs), candidates_);
  for (const Candidate& candidate : candidates_) {
    logprob.top.emplace_back(candidate.token_id, static_cast<float>(candidate.value - log_sum));
  }
  return log_sum;
}

void Sampler::end_logprob(std::span<const float> allowed, double log_sum, int32_t token_id, TokenLogprob& logprob) {
  const float chosen = allowed[static_cast<size_t>(token_id)];
  const auto is_better = [&](int32_t other_id, float other) {
    return other > chosen || (other == chosen && other_id < token_id);
  };
  logprob.token_id = token_id;
  logprob.logprob = static_cast<float>(chosen - log_sum);
  logprob.rank = 1;
  for (size_t i = 0; i < allowed.size(); ++i) logprob.rank += is_better(static_cast<int32_t>(i), allowed[i]) ? 1 : 0;
  for (const Candidate& banned : banned_) logprob.rank += is_better(banned.token_id, banned.value) ? 1 : 0;
}

bool Sampler::filter(std::span<const float> logits, const SamplingParams& params) {
  if (params.top_k > 0 && static_cast<size_t>(params.top_k) < logits.size()) {
    select_top(logits, static_cast<size_t>(params.top_k), candidates_);
    const double sum = weigh_candidates(params.temperature);
    if (params.top_p < 1.0F) cut_at_mass(params.top_p * sum);
  } else {
    weights_.resize(logits.size());
    total_weight_ = exp_weights(logits, maximum_, params.temperature, weights_, stretch_sums_);
    if (params.top_p < 1.0F) {
      filter_top_p(logits, params);
    } else if (params.min_p > 0.0F) {
      candidates_.clear();
      for (size_t i = 0; i < weights_.size(); ++i) {
        if (weights_[i] >= params.min_p) candidates_.push_back({static_cast<int32_t>(i), weights_[i]});
      }
    } else {
      return false;
    }
  }
  // The best token is always left and weighs 1, so weights compare with min_p as they are.
  std::erase_if(candidates_, [&](const Candidate& candidate) { return candidate.value < params.min_p; });
  return true;
}

void Sampler::filter_top_p(std::span<const float> logits, const SamplingParams& params) {
  // A nucleus is small as a rule: look among the best few before sorting more.
  for (size_t count = 256;; count *= 8) {
    select_top(logits, count, candidates_);
    weigh_candidates(params.temperature);
    if (cut_at_mass(params.top_p * total_weight_) || count >= logits.size()) return;
  }
}

double Sampler::weigh_candidates(float temperature) {
  double sum = 0;
  for (Candidate& candidate : candidates_) {
    candidate.value = exp_nonpositive((candidate.value - maximum_) / temperature);
    sum += candidate.value;
  }
  return sum;
}

bool Sampler::cut_at_mass(double mass) {
  double sum = 0;
  for (size_t i = 0; i < candidates_.size(); ++i) {
    sum += candidates_[i].value;
    if (sum < mass) continue;
    candidates_.resize(i + 1);
    return true;
  }
  return false;
}

int32_t Sampler::draw_candidate(double uniform) const {
  double sum = 0;
  for (const Candidate& candidate : candidates_) sum += candidate.value;
  const double target = uniform * sum;
  sum = 0;
  int32_t drawn = candidates_.front().token_id;
  for (const Candidate& candidate : candidates_) {
    if (candidate.value == 0.0F) continue;
    drawn = candidate.token_id;
    sum += candidate.value;
    if (sum > target) break;
  }
  return drawn;
}

int32_t Sampler::draw_any(double uniform) const {
  double remaining = uniform * total_weight_;
  size_t stretch = 0;
  while (stretch + 1 < stretch_sums_.size() && remaining >= stretch_sums_[stretch]) remaining -= stretch_sums_[stretch++];
  // Rounding may carry the target past the last weight: then the last possible token is drawn.
  std::optional<size_t> drawn;
  for (size_t i = stretch * kSumStretch; i < weights_.size() && !(drawn && remaining < 0); ++i) {
    if (weights_[i] == 0.0F) continue;
    drawn = i;
    remaining -= weights_[i];
  }
  if (drawn) return static_cast<int32_t>(*drawn);
  // The last stretches weigh nothing: the last token before them that does.
  size_t last = weights_.size() - 1;
  while (weights_[last] == 0.0F) --last;
  return static_cast<int32_t>(last);
}

}  // namespace sensorium
