#pragma once

#include <memory>
#include <vector>

#include "layers/cross_attention.h"
#include "layers/decoder_layer.h"
#include "models/config_section.h"
#include "models/model.h"

namespace sensorium {

struct WhisperDecoderConfig {
  int64_t vocab_size = 51865;
  int64_t hidden_size = 384;
  int64_t num_layers = 4;
  int64_t num_heads = 6;
  int64_t intermediate_size = 1536;
  int64_t max_positions = 448;
  int64_t num_encoder_rows = 1500;
  Activation activation = Activation::kGeluErf;
  bool is_tied = true;  ///< the head is the embedding table; also when the checkpoint has no head

  ops::HeadShape heads() const { return {num_heads, num_heads, hidden_size / num_heads}; }
};

/// Over the defaults of Hugging Face's WhisperConfig. Throws kInvalidCheckpoint.
WhisperDecoderConfig read_whisper_decoder_config(const ConfigSection& config);

/// Whisper's decoder: learned positions, self-attention over the paged cache, cross-attention over the encoder's rows.
class WhisperDecoder {
 public:
  /// Reads model.decoder and proj_out. Throws kInvalidCheckpoint.
  WhisperDecoder(const WhisperDecoderConfig& config, WeightLoader& loader);

  const WhisperDecoderConfig& config() const { return config_; }
  /// As Model::forward(). Throws kInvalidArgument where the batch does not agree with itself.
  void forward(const ForwardBatch& batch, KvCache& cache, Arena& arena, Matrix logits) const;
  /// As Model::forward_hidden().
  void forward_hidden(const ForwardBatch& batch, KvCache& cache, Arena& arena, Matrix hidden) const;

 private:
  struct Layer {
    DecoderLayer self;
    CrossAttention cross;
  };

  Layer load_layer(WeightLoader loader, int64_t index) const;
  void embed(const ForwardBatch& batch, Matrix hidden) const;
  void store_cross(const ForwardBatch& batch, KvCache& cache, Arena& arena) const;

  WhisperDecoderConfig config_;
  Backend& backend_;
  std::shared_ptr<const PackedMatrix> embedding_;
  Tensor positions_;  ///< [max_positions, hidden_size]
  std::vector<Layer> layers_;
  Norm final_norm_;
  Linear head_;
};

}  // namespace sensorium
