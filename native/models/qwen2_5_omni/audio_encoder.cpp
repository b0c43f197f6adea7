#include "models/qwen2_5_omni/audio_encoder.h"

#include <algorithm>

#include "core/error.h"
#include "models/audio/whisper_config.h"
#include "models/audio/whisper_parts.h"
#include "ops/elementwise.h"
#include "ops/pooling.h"

namespace sensorium {
namespace {

/// Bounds the table of positions, which no tensor of the checkpoint bounds; the model's own is 100.
constexpr int64_t kMaxWindow = 1 << 14;
/// Bounds the activations of a long sound.
constexpr int64_t kChunksAtOnce = 8;

std::vector<EncoderBlock> load_blocks(const WeightLoader& loader, const AudioConfig& config) {
  const WhisperBlockSize size{config.hidden_size, config.intermediate_size, config.num_heads, config.activation};
  std::vector<EncoderBlock> blocks;
  for (int64_t i = 0; i < config.num_layers; ++i) blocks.push_back(load_whisper_block(loader.scope("layers", i), size));
  return blocks;
}

void fill_zero(Matrix rows) { std::fill_n(rows.data, rows.rows * rows.cols, 0.0F); }

}  // namespace

AudioConfig read_audio_config(const ConfigSection& section) {
  AudioConfig config;
  config.num_mel_bins = section.count({"num_mel_bins"}, config.num_mel_bins, kMaxWidth);
  config.hidden_size = section.count({"d_model"}, config.hidden_size, kMaxWidth);
  config.num_layers = section.count({"encoder_layers"}, config.num_layers, kMaxLayers);
  config.num_heads = section.count({"encoder_attention_heads"}, config.num_heads, kMaxWidth);
  config.intermediate_size = section.count({"encoder_ffn_dim"}, config.intermediate_size, kMaxWidth);
  config.chunk_frames = 2 * section.count({"n_window"}, config.chunk_frames / 2, kMaxWindow);
  config.out_hidden_size = section.count({"output_dim"}, config.out_hidden_size, kMaxWidth);
  config.activation = section.activation({"activation_function"}, "gelu");
  if (config.hidden_size % config.num_heads != 0) section.fail("encoder_attention_heads", "does not divide d_model");
  if (config.hidden_size % 2 != 0 || config.hidden_size < 4) section.fail("d_model", "expected an even number of 4 or more");
  return config;
}

AudioEncoder::AudioEncoder(const AudioConfig& config, WeightLoader loader)
    : config_(config),
      backend_(loader.backend()),
      conv1_(Conv1d::load(loader, "conv1", {config.hidden_size, config.num_mel_bins, kWhisperKernelWidth, 1})),
      conv2_(Conv1d::load(loader, "conv2", {config.hidden_size, config.hidden_size, kWhisperKernelWidth, 2})),
      sinusoids_(make_sinusoids(config.chunk_frames / 2, config.hidden_size)),
      blocks_(load_blocks(loader, config)),
      final_norm_(Norm::layer(loader, "ln_post", config.hidden_size, kWhisperNormEps)),
      projection_(Linear::load(loader, config.hidden_size, {{"proj", config.out_hidden_size, true}})) {}

int64_t AudioEncoder::num_rows(const ProcessedMedia& media) const {
  const Shape& shape = media.features.shape();
  if (shape.size() != 2 || shape[1] != config_.num_mel_bins || shape[0] < 1) {
    throw Error(ErrorCode::kInvalidMedia, "log-mel features have shape " + shape_to_string(shape) + ", expected [frames, " +
                                              std::to_string(config_.num_mel_bins) + "]");
  }
  const int64_t num_rows = convolved_length(shape[0]) / 2;
  if (num_rows == 0) throw Error(ErrorCode::kInvalidMedia, "the sound is too short: it yields no token");
  return num_rows;
}

Tensor AudioEncoder::encode(const ProcessedMedia& media, Arena& arena) const {
  Tensor output({num_rows(media), width()});
  Arena::Scope scope(arena);
  const ConstMatrix mel(media.features.data(), media.features.shape()[0], config_.num_mel_bins);
  const Matrix hidden = arena.matrix(convolved_length(mel.rows), config_.hidden_size);
  const int64_t frames_at_once = kChunksAtOnce * config_.chunk_frames;
  for (int64_t begin = 0; begin < mel.rows; begin += frames_at_once) {
    const int64_t count = std::min(frames_at_once, mel.rows - begin);
    encode_chunks(mel.row_range(begin, count), arena, hidden.row_range(begin / 2, convolved_length(count)));
  }
  const Matrix pooled = arena.matrix(output.shape()[0], config_.hidden_size);
  ops::avg_pool_pairs(backend_, hidden, pooled);
  final_norm_.forward(backend_, pooled, pooled);
  projection_.forward(backend_, pooled, Matrix(output.data(), pooled.rows, width()));
  return output;
}

void AudioEncoder::encode_chunks(ConstMatrix mel, Arena& arena, Matrix hidden) const {
  convolve(mel, arena, hidden);
  std::vector<int32_t> bounds{0};
  for (int64_t begin = 0; begin < hidden.rows; begin += config_.chunk_frames / 2) {
    const int64_t count = std::min(config_.chunk_frames / 2, hidden.rows - begin);
    ops::add(backend_, ConstMatrix(sinusoids_.data(), count, config_.hidden_size), hidden.row_range(begin, count));
    bounds.push_back(static_cast<int32_t>(begin + count));
  }
  for (const EncoderBlock& block : blocks_) block.forward(backend_, arena, hidden, {}, bounds);
}

/// Convolves all chunks at once: each lies between two rows of zeros, its own padding, at an even distance from the next.
void AudioEncoder::convolve(ConstMatrix mel, Arena& arena, Matrix hidden) const {
  Arena::Scope scope(arena);
  const int64_t chunk = config_.chunk_frames, spacing = chunk + 2;
  const int64_t num_chunks = (mel.rows + chunk - 1) / chunk, num_padded = num_chunks * spacing;
  const Matrix padded = arena.matrix(num_padded, config_.num_mel_bins);
  const Matrix inner = arena.matrix(num_padded, config_.hidden_size);
  const Matrix strided = arena.matrix(num_padded / 2 - 1, config_.hidden_size);
  fill_zero(padded);
  for (int64_t i = 0; i < num_chunks; ++i) {
    const int64_t count = std::min(chunk, mel.rows - i * chunk);
    ops::copy(backend_, mel.row_range(i * chunk, count), padded.row_range(i * spacing + 1, count));
  }
  conv1_.forward(backend_, padded, inner.row_range(1, num_padded - 2), Activation::kGeluErf);
  for (int64_t i = 0; i < num_chunks; ++i) {
    const int64_t count = std::min(chunk, mel.rows - i * chunk);
    fill_zero(inner.row_range(i * spacing, 1));
    fill_zero(inner.row_range(i * spacing + 1 + count, chunk + 1 - count));
  }
  conv2_.forward(backend_, inner, strided, Activation::kGeluErf);
  for (int64_t i = 0; i < num_chunks; ++i) {
    const int64_t count = convolved_length(std::min(chunk, mel.rows - i * chunk));
    ops::copy(backend_, strided.row_range(i * spacing / 2, count), hidden.row_range(i * chunk / 2, count));
  }
}

}  // namespace sensorium
