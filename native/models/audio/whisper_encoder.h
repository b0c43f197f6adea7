#pragma once

#include <vector>

#include "core/media_input.h"
#include "layers/conv1d.h"
#include "models/audio/whisper_config.h"
#include "models/audio/whisper_parts.h"

namespace sensorium {

/// Up to 30 s of sound, as an encoder sees it.
struct MelWindow {
  ConstMatrix mel;         ///< [frames, mel bins]; frames behind it, up to `num_frames`, are zeros
  int64_t num_frames = 0;  ///< of the window: behind it the second convolution sees zeros
  int64_t num_rows = 0;    ///< rows to compute, from the first on: at most convolved_length(num_frames)
  int64_t num_keys = 0;    ///< leading rows that all rows attend to
};

/// Whisper's encoder up to its last block: two convolutions with GELU, positions, pre-norm blocks.
class WhisperEncoder {
 public:
  /// Reads conv1, conv2, embed_positions (computed where the checkpoint has none), layers.N and layer_norm from `loader`.
  WhisperEncoder(const WhisperConfig& config, WeightLoader loader);

  const WhisperConfig& config() const { return config_; }
  int64_t max_frames() const { return 2 * config_.max_positions; }
  /// Throws kInvalidMedia unless `media` has log-mel features with this encoder's bins.
  void check_features(const ProcessedMedia& media) const;
  /// hidden [window.num_rows, hidden_size]: the last block's output, without the final norm.
  /// Throws kInvalidArgument on a window that does not agree with itself.
  void forward(const MelWindow& window, Arena& arena, Matrix hidden) const;
  /// The final norm, in place.
  void normalize(Matrix hidden) const { final_norm_.forward(backend_, hidden, hidden); }

 private:
  void convolve(const MelWindow& window, Arena& arena, Matrix hidden) const;

  WhisperConfig config_;
  Backend& backend_;
  Conv1d conv1_, conv2_;
  Tensor positions_;  ///< [max_positions, hidden_size]
  std::vector<EncoderBlock> blocks_;
  Norm final_norm_;
};

}  // namespace sensorium
