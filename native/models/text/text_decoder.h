#pragma once

#include <memory>
#include <vector>

#include "layers/decoder_layer.h"
#include "models/model.h"
#include "models/text/text_config.h"

namespace sensorium {

/// A decoder-only language model: embedding, pre-norm layers over a paged cache, final norm and head.
class TextDecoder {
 public:
  /// Reads model.embed_tokens, model.layers.N, model.norm and lm_head. Throws kInvalidCheckpoint.
  TextDecoder(const TextConfig& config, WeightLoader& loader);

  const TextConfig& config() const { return config_; }
  /// As Model::forward(). Throws kInvalidArgument where the batch does not agree with itself.
  void forward(const ForwardBatch& batch, KvCache& cache, Arena& arena, Matrix logits) const;
  /// As Model::forward_hidden().
  void forward_hidden(const ForwardBatch& batch, KvCache& cache, Arena& arena, Matrix hidden) const;

 private:
  DecoderLayer load_layer(WeightLoader loader, int64_t index) const;
  void embed(const ForwardBatch& batch, Matrix hidden) const;
  /// Adds the vectors that encoder rows bring for the layer `level` to its output.
  void add_deepstack(const ForwardBatch& batch, int64_t level, Matrix hidden) const;
  void rotate(const ForwardBatch& batch, Matrix cos, Matrix sin) const;

  TextConfig config_;
  Backend& backend_;
  TextRotary rotary_;
  std::shared_ptr<const PackedMatrix> embedding_;
  std::vector<DecoderLayer> layers_;
  Norm final_norm_;
  Linear head_;
};

}  // namespace sensorium
