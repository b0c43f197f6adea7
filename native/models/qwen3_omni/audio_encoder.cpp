#include "models/qwen3_omni/audio_encoder.h"

#include <algorithm>

#include "core/error.h"
#include "models/audio/whisper_config.h"
#include "models/audio/whisper_parts.h"
#include "ops/elementwise.h"

namespace sensorium {
namespace {

/// Bounds the activations of the convolutions, which no tensor of the checkpoint bounds; the model's own is 50.
constexpr int64_t kMaxWindow = 1 << 12;
constexpr int kNumConvolutions = 3;

/// Rows that the convolutions make of `num_frames` mel frames, or channels' places of mel bins.
int64_t downsampled(int64_t num_frames) {
  for (int i = 0; i < kNumConvolutions; ++i) num_frames = (num_frames + 1) / 2;
  return num_frames;
}

/// Rows of frames in chunks.
int64_t num_rows_of(int64_t num_frames, int64_t chunk_frames) {
  return num_frames / chunk_frames * downsampled(chunk_frames) + downsampled(num_frames % chunk_frames);
}

/// Frames that are the sound's own.
int64_t num_frames_of(const ProcessedMedia& media) {
  return media.num_sound_frames > 0 ? media.num_sound_frames : media.features.shape()[0];
}

std::vector<Conv2d> load_convolutions(WeightLoader& loader, const Qwen3AudioConfig& config) {
  std::vector<Conv2d> convolutions;
  convolutions.push_back(Conv2d::load(loader, "conv2d1", config.num_channels, 1));
  convolutions.push_back(Conv2d::load(loader, "conv2d2", config.num_channels, config.num_channels));
  convolutions.push_back(Conv2d::load(loader, "conv2d3", config.num_channels, config.num_channels));
  return convolutions;
}

/// The matrix on disk counts channels, then places; rows here hold the channels of a place side by side.
Linear load_conv_out(WeightLoader& loader, const Qwen3AudioConfig& config) {
  const Shape shape{config.hidden_size, config.num_channels * downsampled(config.num_mel_bins)};
  return {loader.channels_last_kernel("conv_out", shape, config.num_channels, false), config.hidden_size};
}

std::vector<EncoderBlock> load_blocks(const WeightLoader& loader, const Qwen3AudioConfig& config) {
  WhisperBlockSize size{config.hidden_size, config.intermediate_size, config.num_heads, config.activation};
  size.has_key_bias = true;
  std::vector<EncoderBlock> blocks;
  for (int64_t i = 0; i < config.num_layers; ++i) blocks.push_back(load_whisper_block(loader.scope("layers", i), size));
  return blocks;
}

}  // namespace

Qwen3AudioConfig read_qwen3_audio_config(const ConfigSection& section) {
  Qwen3AudioConfig config;
  config.num_mel_bins = section.count({"num_mel_bins"}, config.num_mel_bins, kMaxWidth);
  config.hidden_size = section.count({"d_model"}, config.hidden_size, kMaxWidth);
  config.num_layers = section.count({"encoder_layers"}, config.num_layers, kMaxLayers);
  config.num_heads = section.count({"encoder_attention_heads"}, config.num_heads, kMaxWidth);
  config.intermediate_size = section.count({"encoder_ffn_dim"}, config.intermediate_size, kMaxWidth);
  config.num_channels = section.count({"downsample_hidden_size"}, config.num_channels, kMaxWidth);
  config.chunk_frames = 2 * section.count({"n_window"}, config.chunk_frames / 2, kMaxWindow);
  const int64_t window_frames = section.count({"n_window_infer"}, 800, kMaxWidth);
  config.chunks_per_window = window_frames / config.chunk_frames;
  config.out_hidden_size = section.count({"output_dim"}, config.out_hidden_size, kMaxWidth);
  config.activation = section.activation({"activation_function"}, "gelu");
  if (config.chunks_per_window < 1) section.fail("n_window_infer", "is smaller than two n_window");
  if (config.hidden_size % config.num_heads != 0) section.fail("encoder_attention_heads", "does not divide d_model");
  if (config.hidden_size % 2 != 0 || config.hidden_size < 4) section.fail("d_model", "expected an even number of 4 or more");
  return config;
}

Qwen3AudioEncoder::Qwen3AudioEncoder(const Qwen3AudioConfig& config, WeightLoader loader)
    : config_(config),
      backend_(loader.backend()),
      convolutions_(load_convolutions(loader, config)),
      conv_out_(load_conv_out(loader, config)),
      sinusoids_(make_sinusoids(downsampled(config.chunk_frames), config.hidden_size)),
      blocks_(load_blocks(loader, config)),
      final_norm_(Norm::layer(loader, "ln_post", config.hidden_size, kWhisperNormEps)),
      first_projection_(Linear::load(loader, config.hidden_size, {{"proj1", config.hidden_size, true}})),
      second_projection_(Linear::load(loader, config.hidden_size, {{"proj2", config.out_hidden_size, true}})) {}

int64_t Qwen3AudioEncoder::num_rows(const ProcessedMedia& media) const {
  const Shape& shape = media.features.shape();
  if (shape.size() != 2 || shape[1] != config_.num_mel_bins || shape[0] < 1 || num_frames_of(media) > shape[0]) {
    throw Error(ErrorCode::kInvalidMedia, "log-mel features have shape " + shape_to_string(shape) + ", expected [frames, " +
                                              std::to_string(config_.num_mel_bins) + "]");
  }
  return num_rows_of(num_frames_of(media), config_.chunk_frames);
}

Tensor Qwen3AudioEncoder::encode(const ProcessedMedia& media, Arena& arena) const {
  Tensor output({num_rows(media), width()});
  const ConstMatrix mel(media.features.data(), num_frames_of(media), config_.num_mel_bins);
  const Matrix rows(output.data(), output.shape()[0], width());
  const int64_t chunk_frames = std::min(media.features.shape()[0], config_.chunk_frames);
  const int64_t window_frames = config_.chunks_per_window * config_.chunk_frames;
  for (int64_t begin = 0; begin < mel.rows; begin += window_frames) {
    const int64_t count = std::min(window_frames, mel.rows - begin);
    encode_window(mel.row_range(begin, count), chunk_frames, arena,
                  rows.row_range(num_rows_of(begin, config_.chunk_frames), num_rows_of(count, config_.chunk_frames)));
  }
  return output;
}

void Qwen3AudioEncoder::encode_window(ConstMatrix mel, int64_t chunk_frames, Arena& arena, Matrix output) const {
  Arena::Scope scope(arena);
  const Matrix hidden = arena.matrix(output.rows, config_.hidden_size);
  for (int64_t begin = 0, row = 0; begin < mel.rows; begin += chunk_frames) {
    const int64_t count = std::min(chunk_frames, mel.rows - begin);
    const Matrix rows = hidden.row_range(row, downsampled(count));
    convolve(mel.row_range(begin, count), chunk_frames, arena, rows);
    ops::add(backend_, ConstMatrix(sinusoids_.data(), rows.rows, rows.cols), rows);
    row += rows.rows;
  }
  const int32_t bounds[] = {0, static_cast<int32_t>(hidden.rows)};
  for (const EncoderBlock& block : blocks_) block.forward(backend_, arena, hidden, {}, bounds);
  final_norm_.forward(backend_, hidden, hidden);
  const Matrix projected = arena.matrix(hidden.rows, config_.hidden_size);
  first_projection_.forward(backend_, hidden, projected, {config_.activation, {}});
  second_projection_.forward(backend_, projected, output);
}

void Qwen3AudioEncoder::convolve(ConstMatrix mel, int64_t num_frames, Arena& arena, Matrix hidden) const {
  Arena::Scope scope(arena);
  PlaneSize size{num_frames, config_.num_mel_bins};
  Matrix plane = arena.matrix(size.times * size.bins, 1);
  std::fill_n(std::copy_n(mel.data, mel.rows * mel.cols, plane.data), (num_frames - mel.rows) * mel.cols, 0.0F);
  for (const Conv2d& convolution : convolutions_) {
    const PlaneSize next_size = Conv2d::output_size(size);
    const Matrix next = arena.matrix(next_size.times * next_size.bins, config_.num_channels);
    convolution.forward(backend_, arena, size, plane, next, Activation::kGeluErf);
    size = next_size;
    plane = next;
  }
  // Rows behind the sound's own come of the zeros.
  conv_out_.forward(backend_, ConstMatrix(plane.data, hidden.rows, size.bins * config_.num_channels), hidden);
}

}  // namespace sensorium
