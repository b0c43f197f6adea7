#pragma once

#include <memory>
#include <optional>

#include "models/causal_lm.h"
#include "models/media_encoder.h"
#include "models/mrope/mrope_positions.h"

namespace sensorium {

/// A causal language model with encoders for some modalities.
class MultimodalLm final : public CausalLm {
 public:
  struct Encoders {
    std::unique_ptr<MediaEncoder> vision;  ///< may be null
    std::unique_ptr<MediaEncoder> audio;   ///< may be null
  };

  /// Without `rules`, positions are 0, 1, 2, ... whatever the tokens stand for.
  MultimodalLm(TextDecoder decoder, ModelInfo info, const std::optional<MropeRules>& rules, Encoders encoders)
      : CausalLm(std::move(decoder), std::move(info)), rules_(rules), encoders_(std::move(encoders)) {}

  PromptPositions positions(std::span<const int32_t> prompt_ids, std::span<const MediaItem> media) const override;
  int64_t num_encoder_rows(const ProcessedMedia& media) const override;
  Tensor encode(const ProcessedMedia& media, Arena& arena) override;

 private:
  const MediaEncoder& encoder_of(Modality modality) const;

  std::optional<MropeRules> rules_;
  Encoders encoders_;
};

}  // namespace sensorium
