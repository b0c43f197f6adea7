#include "core/error.h"
#include "models/audio/whisper_encoder.h"
#include "models/family.h"
#include "models/mrope/mrope_positions.h"
#include "models/whisper/whisper_decoder.h"

namespace sensorium {
namespace {

/// The encoder hears windows of a fixed length (30 s); the decoder sees every row of the one window that a request has.
class WhisperModel final : public Model {
 public:
  WhisperModel(WhisperEncoder encoder, WhisperDecoder decoder, ModelInfo info)
      : encoder_(std::move(encoder)), decoder_(std::move(decoder)), info_(std::move(info)) {}

  const ModelInfo& info() const override { return info_; }

  PromptPositions positions(std::span<const int32_t> prompt_ids, std::span<const MediaItem>) const override {
    return sequential_positions(prompt_ids.size());
  }

  int64_t num_encoder_rows(const ProcessedMedia& media) const override {
    const Shape expected = media.embeddings.empty() ? Shape{encoder_.max_frames(), encoder_.config().num_mel_bins}
                                                    : Shape{info_.num_cross_rows, info_.hidden_size};
    const Shape& found = media.embeddings.empty() ? media.features.shape() : media.embeddings.shape();
    if (media.modality == Modality::kAudio && found == expected) return info_.num_cross_rows;
    throw Error(ErrorCode::kInvalidMedia,
                "a window of sound has shape " + shape_to_string(found) + ", expected " + shape_to_string(expected));
  }

  Tensor encode(const ProcessedMedia& media, Arena& arena) override {
    const int64_t num_rows = num_encoder_rows(media);
    if (!media.embeddings.empty()) {
      return Tensor::from({media.embeddings.data(), DType::kFloat32, media.embeddings.shape()});
    }
    Tensor output({num_rows, info_.hidden_size});
    const Matrix hidden(output.data(), num_rows, info_.hidden_size);
    const ConstMatrix mel(media.features.data(), media.features.shape()[0], media.features.shape()[1]);
    encoder_.forward({mel, mel.rows, num_rows, num_rows}, arena, hidden);
    encoder_.normalize(hidden);
    return output;
  }

  void forward(const ForwardBatch& batch, KvCache& cache, Arena& arena, Matrix logits) override {
    decoder_.forward(batch, cache, arena, logits);
  }

  void forward_hidden(const ForwardBatch& batch, KvCache& cache, Arena& arena, Matrix hidden) override {
    decoder_.forward_hidden(batch, cache, arena, hidden);
  }

  void forward_queries(const ForwardBatch& batch, std::span<const AttentionHead> heads, KvCache& cache, Arena& arena,
                       Matrix queries) override {
    decoder_.forward_queries(batch, heads, cache, arena, queries);
  }

  std::vector<int32_t> align(const TokenAlignment& alignment, const KvCache& cache, Arena& arena) override {
    return decoder_.align(alignment, cache, arena);
  }

 private:
  WhisperEncoder encoder_;
  WhisperDecoder decoder_;
  ModelInfo info_;
};

ModelInfo describe(ModelInfo info, const WhisperDecoderConfig& config, const WeightLoader& loader) {
  info.vocab_size = config.vocab_size;
  info.hidden_size = info.embedding_width = config.hidden_size;
  info.num_layers = config.num_layers;
  info.num_kv_heads = config.heads().num_kv_heads;
  info.head_dim = config.heads().head_dim;
  info.max_position_embeddings = config.max_positions;
  info.num_cross_rows = config.num_encoder_rows;
  info.num_parameters = loader.totals().num_parameters;
  info.weight_bytes = loader.totals().resident_bytes;
  info.has_audio = true;
  return info;
}

}  // namespace

std::unique_ptr<Model> load_whisper(LoadRequest request) {
  const WhisperConfig audio = read_whisper_config(request.config, {});
  const WhisperDecoderConfig text = read_whisper_decoder_config(request.config);
  WhisperEncoder encoder(audio, request.loader.scope("model.encoder"));
  WhisperDecoder decoder(text, request.loader);
  if (text.is_tied) request.loader.ignore("proj_out.");  // some checkpoints hold the table twice
  ModelInfo info = describe(std::move(request.info), text, request.loader);
  return std::make_unique<WhisperModel>(std::move(encoder), std::move(decoder), std::move(info));
}

}  // namespace sensorium
