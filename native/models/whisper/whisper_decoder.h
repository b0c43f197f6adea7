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
  /// As Model::forward_queries(). Throws kInvalidArgument on heads that are none of the decoder's, too.
  void forward_queries(const ForwardBatch& batch, std::span<const AttentionHead> heads, KvCache& cache, Arena& arena,
                       Matrix queries) const;
  /// As Model::align().
  std::vector<int32_t> align(const TokenAlignment& alignment, const KvCache& cache, Arena& arena) const {
    return align_tokens(backend_, arena, cache, alignment);
  }

 private:
  struct Layer {
    DecoderLayer self;
    CrossAttention cross;
  };

  Layer load_layer(WeightLoader loader, int64_t index) const;
  /// Columns of `queries` that are asked by heads of this layer.
  void take_queries(size_t layer, std::span<const AttentionHead> heads, ConstMatrix hidden, Arena& arena, Matrix queries) const;
  void embed(const ForwardBatch& batch, Matrix hidden) const;
  /// Of the first `num_layers` layers.
  void store_cross(const ForwardBatch& batch, size_t num_layers, KvCache& cache, Arena& arena) const;

  WhisperDecoderConfig config_;
  Backend& backend_;
  std::shared_ptr<const PackedMatrix> embedding_;
  Tensor positions_;  ///< [max_positions, hidden_size]
  std::vector<Layer> layers_;
  Norm final_norm_;
  Linear head_;
};

}  // namespace sensorium
