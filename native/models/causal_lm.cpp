#include "models/causal_lm.h"

#include "core/error.h"
#include "models/mrope/mrope_positions.h"

namespace sensorium {
namespace {

[[noreturn]] void refuse_media(const ModelInfo& info) {
  throw Error(ErrorCode::kInvalidMedia, info.architecture + " takes text only");
}

}  // namespace

PromptPositions CausalLm::positions(std::span<const int32_t> prompt_ids, std::span<const MediaItem> media) const {
  if (!media.empty()) refuse_media(info_);
  return sequential_positions(prompt_ids.size());
}

int64_t CausalLm::num_encoder_rows(const ProcessedMedia&) const { refuse_media(info_); }

Tensor CausalLm::encode(const ProcessedMedia&, Arena&) { refuse_media(info_); }

void CausalLm::forward(const ForwardBatch& batch, KvCache& cache, Arena& arena, Matrix logits) {
  decoder_.forward(batch, cache, arena, logits);
}

void CausalLm::forward_hidden(const ForwardBatch& batch, KvCache& cache, Arena& arena, Matrix hidden) {
  decoder_.forward_hidden(batch, cache, arena, hidden);
}

}  // namespace sensorium
