#include "core/error.h"
#include "models/audio/whisper_encoder.h"
#include "models/family.h"
#include "models/multimodal_lm.h"
#include "ops/pooling.h"

namespace sensorium {
namespace {

/// Defaults of Hugging Face's Qwen2AudioEncoderConfig.
WhisperConfig audio_defaults() { return {128, 1280, 32, 20, 5120, 1500, Activation::kGeluErf}; }

/// Defaults of Hugging Face's Qwen2Config.
TextConfig text_defaults() {
  TextConfig config;
  config.vocab_size = 151936;
  config.hidden_size = 4096;
  config.intermediate_size = 22016;
  config.num_layers = 32;
  config.heads = {32, 32, 0};
  config.has_qkv_bias = true;
  config.sliding_window = 4096;
  return config;
}

/// Whisper's encoder over a window of 30 s whose silence is seen by the convolutions and not attended to. Rows are averaged in
/// pairs before the final norm. Features are the sound's frames and the two behind them, fewer where the window ends.
class AudioTower final : public MediaEncoder {
 public:
  AudioTower(const WhisperConfig& config, int64_t width, WeightLoader& loader)
      : backend_(loader.backend()),
        encoder_(config, loader.scope("audio_tower")),
        projection_(Linear::load(loader, config.hidden_size, {{"multi_modal_projector.linear", width, true}})) {}

  int64_t width() const override { return projection_.num_columns(); }

  int64_t num_rows(const ProcessedMedia& media) const override {
    encoder_.check_features(media);
    if (media.features.shape()[0] > encoder_.max_frames()) {
      throw Error(ErrorCode::kInvalidMedia, "the sound has more than " + std::to_string(encoder_.max_frames()) + " mel frames");
    }
    const int64_t num_rows = convolved_length(media.num_sound_frames) / 2;
    if (num_rows == 0) throw Error(ErrorCode::kInvalidMedia, "the sound is too short: it yields no token");
    return num_rows;
  }

  Tensor encode(const ProcessedMedia& media, Arena& arena) const override {
    Tensor output({num_rows(media), width()});
    Arena::Scope scope(arena);
    const ConstMatrix mel(media.features.data(), media.features.shape()[0], media.features.shape()[1]);
    const int64_t num_hidden = convolved_length(media.num_sound_frames);
    const Matrix hidden = arena.matrix(num_hidden, encoder_.config().hidden_size);
    encoder_.forward({mel, encoder_.max_frames(), num_hidden, num_hidden}, arena, hidden);
    const Matrix pooled = arena.matrix(output.shape()[0], hidden.cols);
    ops::avg_pool_pairs(backend_, hidden, pooled);
    encoder_.normalize(pooled);
    projection_.forward(backend_, pooled, Matrix(output.data(), pooled.rows, width()));
    return output;
  }

 private:
  Backend& backend_;
  WhisperEncoder encoder_;
  Linear projection_;
};

}  // namespace

std::unique_ptr<Model> load_qwen2_audio(LoadRequest request) {
  const TextConfig text = read_composite_text_config(request.config, text_defaults());
  const WhisperConfig audio = read_whisper_config(request.config.section("audio_config"), audio_defaults());
  TextDecoder decoder(text, request.loader);
  auto tower = std::make_unique<AudioTower>(audio, text.hidden_size, request.loader);
  ModelInfo info = finish_info(std::move(request.info), text, request.loader);
  info.has_audio = true;
  return std::make_unique<MultimodalLm>(std::move(decoder), std::move(info), std::nullopt,
                                        MultimodalLm::Encoders{nullptr, std::move(tower)});
}

}  // namespace sensorium
