#pragma once

#include <string>

#include "models/text/text_decoder.h"

namespace sensorium {

/// A model whose language part is a TextDecoder. Alone it takes no media; multimodal families override the media methods.
class CausalLm : public Model {
 public:
  CausalLm(TextDecoder decoder, ModelInfo info) : decoder_(std::move(decoder)), info_(std::move(info)) {}

  const ModelInfo& info() const override { return info_; }
  PromptPositions positions(std::span<const int32_t> prompt_ids, std::span<const MediaItem> media) const override;
  int64_t num_encoder_rows(const ProcessedMedia& media) const override;
  Tensor encode(const ProcessedMedia& media, Arena& arena) override;
  void forward(const ForwardBatch& batch, KvCache& cache, Arena& arena, Matrix logits) override;
  void forward_hidden(const ForwardBatch& batch, KvCache& cache, Arena& arena, Matrix hidden) override;

 private:
  TextDecoder decoder_;
  ModelInfo info_;
};

}  // namespace sensorium
