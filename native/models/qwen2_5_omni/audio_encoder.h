#pragma once

#include <vector>

#include "layers/conv1d.h"
#include "layers/encoder_block.h"
#include "models/config_section.h"
#include "models/media_encoder.h"

namespace sensorium {

struct AudioConfig {
  int64_t num_mel_bins = 128;
  int64_t hidden_size = 1280;
  int64_t num_layers = 32;
  int64_t num_heads = 20;
  int64_t intermediate_size = 5120;
  int64_t chunk_frames = 200;  ///< mel frames that see each other, even
  int64_t out_hidden_size = 3584;
  Activation activation = Activation::kGeluErf;
};

/// Over the defaults of Hugging Face's Qwen2_5OmniAudioEncoderConfig. Throws kInvalidCheckpoint.
AudioConfig read_audio_config(const ConfigSection& section);

/// Audio tower of the Qwen2.5-Omni thinker. The spectrogram is cut into chunks; each is convolved (stride 2 in the second
/// convolution), gets sinusoidal positions from 0 and attends to itself. Rows of all chunks are averaged in pairs, also across
/// chunk borders, normalised and projected.
class AudioEncoder final : public MediaEncoder {
 public:
  /// Reads conv1, conv2, layers.N, ln_post and proj from `loader`.
  AudioEncoder(const AudioConfig& config, WeightLoader loader);

  int64_t width() const override { return projection_.num_columns(); }
  int64_t num_rows(const ProcessedMedia& media) const override;
  Tensor encode(const ProcessedMedia& media, Arena& arena) const override;

 private:
  void encode_chunks(ConstMatrix mel, Arena& arena, Matrix hidden) const;
  void convolve(ConstMatrix mel, Arena& arena, Matrix hidden) const;

  AudioConfig config_;
  Backend& backend_;
  Conv1d conv1_, conv2_;
  Tensor sinusoids_;  ///< [chunk_frames / 2, hidden_size]
  std::vector<EncoderBlock> blocks_;
  Norm final_norm_;
  Linear projection_;
};

}  // namespace sensorium
