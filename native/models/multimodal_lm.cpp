#include "models/multimodal_lm.h"

#include <algorithm>
#include <utility>

#include "core/error.h"

namespace sensorium {
namespace {

/// Rows of an encoder without deepstack levels, with zeros for them.
Tensor widened(Tensor rows, int64_t width) {
  const int64_t num_rows = rows.shape()[0], num_columns = rows.shape()[1];
  if (num_columns == width) return rows;
  Tensor wide({num_rows, width});
  for (int64_t r = 0; r < num_rows; ++r) {
    float* end = std::copy_n(rows.data() + r * num_columns, num_columns, wide.data() + r * width);
    std::fill_n(end, width - num_columns, 0.0F);
  }
  return wide;
}

}  // namespace

PromptPositions MultimodalLm::positions(std::span<const int32_t> prompt_ids, std::span<const MediaItem> media) const {
  return rules_ ? mrope_positions(prompt_ids, media, *rules_) : sequential_positions(prompt_ids.size());
}

int64_t MultimodalLm::num_encoder_rows(const ProcessedMedia& media) const {
  const MediaEncoder& encoder = encoder_of(media.modality);
  if (media.embeddings.empty()) return encoder.num_rows(media);
  const Shape& shape = media.embeddings.shape();
  if (shape.size() != 2 || shape[0] < 1 || shape[1] != encoder.width()) {
    throw Error(ErrorCode::kInvalidMedia, "embeddings have shape " + shape_to_string(shape) + ", expected [tokens, " +
                                              std::to_string(encoder.width()) + "]");
  }
  return shape[0];
}

Tensor MultimodalLm::encode(const ProcessedMedia& media, Arena& arena) {
  const int64_t num_rows = num_encoder_rows(media);
  const MediaEncoder& encoder = encoder_of(media.modality);
  Tensor rows = media.embeddings.empty()
                    ? encoder.encode(media, arena)
                    : Tensor::from({media.embeddings.data(), DType::kFloat32, {num_rows, encoder.width()}});
  return widened(std::move(rows), info().embedding_width);
}

const MediaEncoder& MultimodalLm::encoder_of(Modality modality) const {
  const bool is_audio = modality == Modality::kAudio;
  const MediaEncoder* encoder = is_audio ? encoders_.audio.get() : encoders_.vision.get();
  if (encoder == nullptr) {
    throw Error(ErrorCode::kInvalidMedia, info().architecture + " takes no " + (is_audio ? "sound" : "pictures"));
  }
  return *encoder;
}

}  // namespace sensorium
