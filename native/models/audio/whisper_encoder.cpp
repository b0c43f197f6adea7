#include "models/audio/whisper_encoder.h"

#include <algorithm>

#include "core/error.h"
#include "ops/elementwise.h"

namespace sensorium {
namespace {

Tensor load_positions(WeightLoader& loader, const WhisperConfig& config) {
  constexpr std::string_view kName = "embed_positions.weight";
  if (!loader.has(kName)) return make_sinusoids(config.max_positions, config.hidden_size);
  return loader.tensor(kName, {config.max_positions, config.hidden_size});
}

std::vector<EncoderBlock> load_blocks(const WeightLoader& loader, const WhisperConfig& config) {
  const WhisperBlockSize size{config.hidden_size, config.intermediate_size, config.num_heads, config.activation};
  std::vector<EncoderBlock> blocks;
  for (int64_t i = 0; i < config.num_layers; ++i) blocks.push_back(load_whisper_block(loader.scope("layers", i), size));
  return blocks;
}

void fill_zero(Matrix rows) {
  for (int64_t r = 0; r < rows.rows; ++r) std::fill_n(rows.row(r), rows.cols, 0.0F);
}

}  // namespace

WhisperEncoder::WhisperEncoder(const WhisperConfig& config, WeightLoader loader)
    : config_(config),
      backend_(loader.backend()),
      conv1_(Conv1d::load(loader, "conv1", {config.hidden_size, config.num_mel_bins, kWhisperKernelWidth, 1})),
      conv2_(Conv1d::load(loader, "conv2", {config.hidden_size, config.hidden_size, kWhisperKernelWidth, 2})),
      positions_(load_positions(loader, config)),
      blocks_(load_blocks(loader, config)),
      final_norm_(Norm::layer(loader, "layer_norm", config.hidden_size, kWhisperNormEps)) {}

void WhisperEncoder::check_features(const ProcessedMedia& media) const {
  const Shape& shape = media.features.shape();
  if (shape.size() == 2 && shape[1] == config_.num_mel_bins && shape[0] >= 1 && media.num_sound_frames >= 1 &&
      media.num_sound_frames <= shape[0]) {
    return;
  }
  throw Error(ErrorCode::kInvalidMedia, "log-mel features have shape " + shape_to_string(shape) + " with " +
                                            std::to_string(media.num_sound_frames) + " frames of sound, expected [frames, " +
                                            std::to_string(config_.num_mel_bins) + "]");
}

void WhisperEncoder::forward(const MelWindow& window, Arena& arena, Matrix hidden) const {
  const bool is_whole = window.mel.rows <= window.num_frames && window.num_frames <= max_frames() && window.num_rows >= 1 &&
                        window.num_rows <= convolved_length(window.num_frames) && window.num_keys >= 1 &&
                        window.num_keys <= window.num_rows && hidden.rows == window.num_rows;
  if (!is_whole) throw Error(ErrorCode::kInvalidArgument, "a window of sound does not agree with itself");
  convolve(window, arena, hidden);
  ops::add(backend_, ConstMatrix(positions_.data(), hidden.rows, hidden.cols), hidden);
  const int32_t bounds[] = {0, static_cast<int32_t>(hidden.rows)};
  for (const EncoderBlock& block : blocks_) block.forward(backend_, arena, hidden, {}, bounds, window.num_keys);
}

void WhisperEncoder::convolve(const MelWindow& window, Arena& arena, Matrix hidden) const {
  Arena::Scope scope(arena);
  // Row r of `hidden` sees rows 2r to 2r + 2 of `inner`, each of which sees three of `padded`; both begin with a row of zeros.
  const int64_t num_inner = 2 * hidden.rows;
  const Matrix padded = arena.matrix(num_inner + 2, config_.num_mel_bins);
  const int64_t num_copied = std::min(window.mel.rows, num_inner + 1);
  fill_zero(padded.row_range(0, 1));
  ops::copy(backend_, window.mel.row_range(0, num_copied), padded.row_range(1, num_copied));
  fill_zero(padded.row_range(1 + num_copied, num_inner + 1 - num_copied));
  const Matrix inner = arena.matrix(num_inner + 1, config_.hidden_size);
  fill_zero(inner.row_range(0, 1));
  conv1_.forward(backend_, padded, inner.row_range(1, num_inner), Activation::kGeluErf);
  const int64_t num_inside = std::min(num_inner, window.num_frames);
  fill_zero(inner.row_range(1 + num_inside, num_inner - num_inside));
  conv2_.forward(backend_, inner, hidden, Activation::kGeluErf);
}

}  // namespace sensorium
