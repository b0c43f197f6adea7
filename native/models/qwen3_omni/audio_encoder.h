#pragma once

#include <vector>

#include "layers/conv2d.h"
#include "layers/encoder_block.h"
#include "models/config_section.h"
#include "models/media_encoder.h"

namespace sensorium {

struct Qwen3AudioConfig {
  int64_t num_mel_bins = 128;
  int64_t hidden_size = 1280;
  int64_t num_layers = 32;
  int64_t num_heads = 20;
  int64_t intermediate_size = 5120;
  int64_t num_channels = 480;     ///< of the convolutions
  int64_t chunk_frames = 100;     ///< mel frames that are convolved together
  int64_t chunks_per_window = 8;  ///< chunks whose rows attend to each other
  int64_t out_hidden_size = 3584;
  Activation activation = Activation::kGeluErf;
};

/// Over the defaults of Hugging Face's Qwen3OmniMoeAudioEncoderConfig. Throws kInvalidCheckpoint.
Qwen3AudioConfig read_qwen3_audio_config(const ConfigSection& section);

/// Audio tower of the Qwen3-Omni thinker. The spectrogram is cut into chunks; three convolutions over time and frequency make
/// 13 rows of 100 frames, which get sinusoidal positions from 0; rows of a window of chunks attend to each other. A last chunk
/// that is short is convolved with zeros behind it, as long as the chunks before it; a sound of one short chunk with those that
/// its features bring.
class Qwen3AudioEncoder final : public MediaEncoder {
 public:
  /// Reads conv2d1 to conv2d3, conv_out, layers.N, ln_post, proj1 and proj2 from `loader`.
  Qwen3AudioEncoder(const Qwen3AudioConfig& config, WeightLoader loader);

  int64_t width() const override { return second_projection_.num_columns(); }
  int64_t num_rows(const ProcessedMedia& media) const override;
  Tensor encode(const ProcessedMedia& media, Arena& arena) const override;

 private:
  /// A chunk of `num_frames` rows of mel, zeros included, to its rows [hidden.rows, hidden_size].
  void convolve(ConstMatrix mel, int64_t num_frames, Arena& arena, Matrix hidden) const;
  /// Frames that all see each other, to rows of the language model's width.
  void encode_window(ConstMatrix mel, int64_t chunk_frames, Arena& arena, Matrix output) const;

  Qwen3AudioConfig config_;
  Backend& backend_;
  std::vector<Conv2d> convolutions_;
  Linear conv_out_;
  Tensor sinusoids_;  ///< [rows of a chunk, hidden_size]
  std::vector<EncoderBlock> blocks_;
  Norm final_norm_;
  Linear first_projection_, second_projection_;
};

}  // namespace sensorium
