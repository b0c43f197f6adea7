#pragma once

#include "models/audio/whisper_encoder.h"
#include "models/media_encoder.h"

namespace sensorium {

struct UltravoxConfig {
  WhisperConfig audio;
  int64_t stack_factor = 8;        ///< encoder rows of one token
  int64_t projector_width = 4096;  ///< columns of the projector's first matrix
  bool is_gated = true;            ///< projector_act "swiglu": its second half gates the first
  Activation activation = Activation::kSilu;
  bool has_norm_in_middle = false;  ///< projector_ln_mid; else the projector's second norm comes last
  int64_t out_hidden_size = 0;      ///< the language model's width
};

/// Over the defaults of Ultravox's own config class. Throws kInvalidCheckpoint, kUnsupportedArchitecture.
UltravoxConfig read_ultravox_config(const ConfigSection& config, int64_t out_hidden_size);

/// Ultravox's ear: Whisper's encoder over the sound as long as it is, not padded to 30 s; longer sound goes through in windows
/// of 30 s, of which all but the first are padded with zeros. Each window's rows are stacked in groups and projected.
/// Features are the sound's frames and, where the sound was padded to a longer one of the same request, silence behind them:
/// rows of it fill up a window's last group.
class UltravoxAudioTower final : public MediaEncoder {
 public:
  /// Reads audio_tower and multi_modal_projector.
  UltravoxAudioTower(const UltravoxConfig& config, WeightLoader loader);

  int64_t width() const override { return down_.num_columns(); }
  int64_t num_rows(const ProcessedMedia& media) const override;
  Tensor encode(const ProcessedMedia& media, Arena& arena) const override;

 private:
  /// Tokens of a window with `num_frames` mel frames of sound.
  int64_t num_tokens(int64_t num_frames) const;
  void encode_window(ConstMatrix mel, int64_t num_frames, int64_t num_sound_frames, Arena& arena, Matrix output) const;
  void project(ConstMatrix stacked, Arena& arena, Matrix output) const;

  UltravoxConfig config_;
  Backend& backend_;
  WhisperEncoder encoder_;
  Norm first_norm_;
  Linear up_;
  Norm second_norm_;
  Linear down_;
};

}  // namespace sensorium
