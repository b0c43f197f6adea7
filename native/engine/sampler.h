#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "engine/engine.h"
#include "engine/softmax.h"
#include "engine/token_history.h"

namespace sensorium {

/// What the choice of one token depends on besides its logits.
struct SamplerInput {
  const SamplingParams& params;
  const TokenHistory& history;               ///< read when has_penalty(params)
  std::span<const int32_t> banned_ids = {};  ///< distinct, never chosen (stop ids before min_tokens)
  uint64_t seed = 0;
  int32_t index = 0;                         ///< continuation
  int64_t step = 0;                          ///< tokens generated before
  std::span<const int32_t> output_ids = {};  ///< those tokens, where params.rules look at them
};

struct SampledToken {
  int32_t token_id = 0;
  std::optional<TokenLogprob> logprob;  ///< when params.num_logprobs is set
};

/// True when the params read the token history.
bool has_penalty(const SamplingParams& params);

/// Chooses tokens. Order: logit bias, repetition penalty, frequency and presence penalty, decoding rules; then bans,
/// temperature, top_k, top_p, min_p. Logprobs are those of the penalized logits that the rules leave. A choice depends on
/// nothing but the logits and the input. Keeps scratch memory; one thread at a time.
class Sampler {
 public:
  /// `logits` [vocab_size]. Throws kInternal when a logit is not finite, kInvalidArgument when bias and penalties make one so
  /// or rules and bans leave no token to choose from.
  SampledToken sample(std::span<const float> logits, const SamplerInput& input);
  /// The probabilities that sample() draws from, [vocab_size]; greedy: 1 at the chosen token.
  std::vector<float> distribution(std::span<const float> logits, const SamplerInput& input);

 private:
  /// Each yields what it is given, or scratch_ with the changed logits, and sets maximum_.
  std::span<const float> penalized(std::span<const float> logits, const SamplerInput& input);
  std::span<const float> ruled(std::span<const float> logits, const SamplerInput& input);
  std::span<const float> only_allowed(std::span<const float> logits, const SamplerInput& input);
  std::span<const float> without_banned(std::span<const float> logits, std::span<const int32_t> banned_ids);
  /// Sets maximum_; throws kInvalidArgument where no token is left.
  void find_choice(std::span<const float> logits);
  std::span<float> writable(std::span<const float> logits);
  /// Logarithm of the sum of exp(logit); also the best tokens.
  double begin_logprob(std::span<const float> logits, int32_t num_logprobs, TokenLogprob& logprob);
  void end_logprob(std::span<const float> allowed, double log_sum, int32_t token_id, TokenLogprob& logprob);
  /// Fills candidates_ (weights) with what the filters leave; false: there is no filter, weights_ holds all tokens.
  bool filter(std::span<const float> logits, const SamplingParams& params);
  void filter_top_p(std::span<const float> logits, const SamplingParams& params);
  /// Turns the logits of candidates_ into weights and returns their sum.
  double weigh_candidates(float temperature);
  /// Keeps the shortest prefix of candidates_ that reaches `mass`; false when all together do not.
  bool cut_at_mass(double mass);
  int32_t draw_candidate(double uniform) const;
  int32_t draw_any(double uniform) const;

  std::vector<float> scratch_;
  std::vector<float> weights_;         ///< [vocab_size] exp((logit - maximum_) / temperature)
  std::vector<double> stretch_sums_;   ///< of weights_
  double total_weight_ = 0;            ///< of weights_
  std::vector<Candidate> candidates_;  ///< best first unless only min_p is set
  std::vector<Candidate> banned_;      ///< banned tokens with their logits
  float maximum_ = 0.0F;
};

}  // namespace sensorium
