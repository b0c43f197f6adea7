#include "models/whisper/whisper_decoder.h"

#include <algorithm>
#include <string>

#include "core/error.h"
#include "models/audio/whisper_config.h"
#include "ops/elementwise.h"
#include "ops/embedding.h"
#include "ops/gather.h"

namespace sensorium {
namespace {

constexpr int64_t kMaxVocab = int64_t{1} << 24;
constexpr int64_t kMaxPositions = int64_t{1} << 16;
constexpr std::string_view kHeadName = "proj_out.weight";

void check_batch(const ForwardBatch& batch, const WhisperDecoderConfig& config) {
  const size_t num_tokens = batch.token_ids.size();
  if (num_tokens == 0 || batch.positions_t.size() != num_tokens || batch.slots.size() != num_tokens) {
    throw Error(ErrorCode::kInvalidArgument, "token ids, positions and slots of a step differ in number or are none");
  }
  if (batch.cross.size() != batch.sequences.size()) {
    throw Error(ErrorCode::kInvalidArgument, "a step's sequences and what they hear differ in number");
  }
  for (const CrossSource& source : batch.cross) {
    const bool has_rows = source.rows.data != nullptr;
    if (source.num_rows < 1 || (has_rows && (source.rows.rows != source.num_rows || source.rows.cols != config.hidden_size))) {
      throw Error(ErrorCode::kInvalidArgument, "encoder rows of a step have a wrong shape");
    }
  }
  for (const float position : batch.positions_t) {
    if (!(position >= 0.0F && position < static_cast<float>(config.max_positions))) {
      throw Error(ErrorCode::kInvalidArgument, "a token stands beyond the last position");
    }
  }
}

/// Number of leading layers that the heads are in. Throws kInvalidArgument unless they are the decoder's.
size_t check_heads(std::span<const AttentionHead> heads, const WhisperDecoderConfig& config) {
  int64_t num_layers = 0;
  for (const AttentionHead& head : heads) {
    if (head.layer < 0 || head.layer >= config.num_layers || head.index < 0 || head.index >= config.num_heads) {
      throw Error(ErrorCode::kInvalidArgument,
                  "the decoder has no head " + std::to_string(head.index) + " in layer " + std::to_string(head.layer));
    }
    num_layers = std::max(num_layers, head.layer + 1);
  }
  return static_cast<size_t>(num_layers);
}

/// Slots of the rows that a block table holds.
std::vector<int32_t> slots_of(const CrossSource& source, int64_t block_size) {
  std::vector<int32_t> slots(static_cast<size_t>(source.num_rows));
  for (size_t i = 0; i < slots.size(); ++i) {
    const auto block = i / static_cast<size_t>(block_size), offset = i % static_cast<size_t>(block_size);
    slots[i] = source.block_table[block] * static_cast<int32_t>(block_size) + static_cast<int32_t>(offset);
  }
  return slots;
}

/// Each row by itself: all rows of a sequence see all its encoder rows.
std::vector<PagedSequence> cross_queries(const ForwardBatch& batch) {
  std::vector<PagedSequence> queries;
  queries.reserve(batch.token_ids.size());
  for (size_t i = 0; i < batch.sequences.size(); ++i) {
    const PagedSequence& sequence = batch.sequences[i];
    const CrossSource& source = batch.cross[i];
    for (int32_t t = 0; t < sequence.num_query_tokens; ++t) {
      queries.push_back({sequence.query_begin + t, 1, source.num_rows, source.block_table});
    }
  }
  return queries;
}

}  // namespace

WhisperDecoderConfig read_whisper_decoder_config(const ConfigSection& config) {
  WhisperDecoderConfig result;
  result.vocab_size = config.count({"vocab_size"}, result.vocab_size, kMaxVocab);
  result.hidden_size = config.count({"d_model"}, result.hidden_size, kMaxWidth);
  result.num_layers = config.count({"decoder_layers"}, result.num_layers, kMaxLayers);
  result.num_heads = config.count({"decoder_attention_heads"}, result.num_heads, kMaxWidth);
  result.intermediate_size = config.count({"decoder_ffn_dim"}, result.intermediate_size, kMaxWidth);
  result.max_positions = config.count({"max_target_positions"}, result.max_positions, kMaxPositions);
  result.num_encoder_rows = config.count({"max_source_positions"}, result.num_encoder_rows, kMaxPositions);
  result.activation = config.activation({"activation_function"}, "gelu");
  result.is_tied = config.flag({"tie_word_embeddings"}, result.is_tied);
  if (result.hidden_size % result.num_heads != 0) config.fail("decoder_attention_heads", "does not divide d_model");
  return result;
}

WhisperDecoder::WhisperDecoder(const WhisperDecoderConfig& config, WeightLoader& loader)
    : config_(config),
      backend_(loader.backend()),
      embedding_(loader.table("model.decoder.embed_tokens.weight", config.vocab_size, config.hidden_size)),
      positions_(loader.tensor("model.decoder.embed_positions.weight", {config.max_positions, config.hidden_size})),
      layers_([&] {
        std::vector<Layer> layers;
        for (int64_t i = 0; i < config.num_layers; ++i) {
          layers.push_back(load_layer(loader.scope("model.decoder.layers", i), i));
        }
        return layers;
      }()),
      final_norm_(Norm::layer(loader, "model.decoder.layer_norm", config.hidden_size, kWhisperNormEps)),
      head_(config.is_tied || !loader.has(kHeadName)
                ? embedding_
                : std::shared_ptr<const PackedMatrix>(loader.table(kHeadName, config.vocab_size, config.hidden_size)),
            config.vocab_size) {}

WhisperDecoder::Layer WhisperDecoder::load_layer(WeightLoader loader, int64_t index) const {
  const int64_t width = config_.hidden_size;
  Norm self_norm = Norm::layer(loader, "self_attn_layer_norm", width, kWhisperNormEps);
  Linear qkv =
      Linear::load(loader, width,
                   {{"self_attn.q_proj", width, true}, {"self_attn.k_proj", width, false}, {"self_attn.v_proj", width, true}});
  Linear self_out = Linear::load(loader, width, {{"self_attn.out_proj", width, true}});
  Norm cross_norm = Norm::layer(loader, "encoder_attn_layer_norm", width, kWhisperNormEps);
  Linear q = Linear::load(loader, width, {{"encoder_attn.q_proj", width, true}});
  Linear kv = Linear::load(loader, width, {{"encoder_attn.k_proj", width, false}, {"encoder_attn.v_proj", width, true}});
  Linear cross_out = Linear::load(loader, width, {{"encoder_attn.out_proj", width, true}});
  Norm mlp_norm = Norm::layer(loader, "final_layer_norm", width, kWhisperNormEps);
  Linear up = Linear::load(loader, width, {{"fc1", config_.intermediate_size, true}});
  Linear down = Linear::load(loader, config_.intermediate_size, {{"fc2", width, true}});
  DecoderLayer::Parts self{std::move(self_norm), std::move(qkv),
                           std::nullopt,         std::move(self_out),
                           std::move(mlp_norm),  Mlp(std::move(up), std::move(down), config_.activation),
                           config_.heads(),      index};
  return {DecoderLayer(std::move(self)),
          CrossAttention({std::move(cross_norm), std::move(q), std::move(kv), std::move(cross_out), config_.heads(), index})};
}

void WhisperDecoder::forward(const ForwardBatch& batch, KvCache& cache, Arena& arena, Matrix logits) const {
  Arena::Scope scope(arena);
  const Matrix hidden = arena.matrix(static_cast<int64_t>(batch.output_rows.size()), config_.hidden_size);
  forward_hidden(batch, cache, arena, hidden);
  if (hidden.rows > 0) head_.forward(backend_, hidden, logits);
}

void WhisperDecoder::forward_hidden(const ForwardBatch& batch, KvCache& cache, Arena& arena, Matrix output) const {
  check_batch(batch, config_);
  Arena::Scope scope(arena);
  store_cross(batch, layers_.size(), cache, arena);
  const Matrix hidden = arena.matrix(static_cast<int64_t>(batch.token_ids.size()), config_.hidden_size);
  embed(batch, hidden);
  const AttentionStep step{cache, {}, {}, batch.slots, batch.sequences};
  const std::vector<PagedSequence> queries = cross_queries(batch);
  for (const Layer& layer : layers_) {
    layer.self.attend(backend_, arena, step, hidden);
    layer.cross.attend(backend_, arena, cache, queries, hidden);
    layer.self.feed_forward(backend_, arena, hidden);
  }
  if (batch.output_rows.empty()) return;
  ops::gather_rows(backend_, hidden, batch.output_rows, 1, output);
  final_norm_.forward(backend_, output, output);
}

void WhisperDecoder::forward_queries(const ForwardBatch& batch, std::span<const AttentionHead> heads, KvCache& cache,
                                     Arena& arena, Matrix queries) const {
  check_batch(batch, config_);
  const size_t num_layers = check_heads(heads, config_);
  Arena::Scope scope(arena);
  store_cross(batch, num_layers, cache, arena);
  const Matrix hidden = arena.matrix(static_cast<int64_t>(batch.token_ids.size()), config_.hidden_size);
  embed(batch, hidden);
  const AttentionStep step{cache, {}, {}, batch.slots, batch.sequences};
  const std::vector<PagedSequence> asked = cross_queries(batch);
  for (size_t i = 0; i < num_layers; ++i) {
    layers_[i].self.attend(backend_, arena, step, hidden);
    take_queries(i, heads, hidden, arena, queries);
    if (i + 1 == num_layers) return;
    layers_[i].cross.attend(backend_, arena, cache, asked, hidden);
    layers_[i].self.feed_forward(backend_, arena, hidden);
  }
}

void WhisperDecoder::take_queries(size_t layer, std::span<const AttentionHead> heads, ConstMatrix hidden, Arena& arena,
                                  Matrix queries) const {
  const auto is_here = [&](const AttentionHead& head) { return head.layer == static_cast<int64_t>(layer); };
  if (std::none_of(heads.begin(), heads.end(), is_here)) return;
  Arena::Scope scope(arena);
  const int64_t head_dim = config_.heads().head_dim;
  const Matrix all = arena.matrix(hidden.rows, config_.hidden_size);
  layers_[layer].cross.query(backend_, arena, hidden, all);
  for (size_t i = 0; i < heads.size(); ++i) {
    if (!is_here(heads[i])) continue;
    ops::copy(backend_, all.columns(heads[i].index * head_dim, head_dim),
              queries.columns(static_cast<int64_t>(i) * head_dim, head_dim));
  }
}

void WhisperDecoder::embed(const ForwardBatch& batch, Matrix hidden) const {
  ops::embedding(backend_, *embedding_, batch.token_ids, hidden);
  for (int64_t r = 0; r < hidden.rows; ++r) {
    const auto position = static_cast<int64_t>(batch.positions_t[static_cast<size_t>(r)]);
    const ConstMatrix learned(positions_.data() + position * hidden.cols, 1, hidden.cols);
    ops::add(backend_, learned, hidden.row_range(r, 1));
  }
}

void WhisperDecoder::store_cross(const ForwardBatch& batch, size_t num_layers, KvCache& cache, Arena& arena) const {
  for (const CrossSource& source : batch.cross) {
    if (source.rows.data == nullptr) continue;
    const std::vector<int32_t> slots = slots_of(source, cache.block_size());
    for (size_t i = 0; i < num_layers; ++i) layers_[i].cross.store(backend_, arena, cache, source.rows, slots);
  }
}

}  // namespace sensorium
