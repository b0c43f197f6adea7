#include "models/text/text_decoder.h"

#include <string>

#include "core/error.h"
#include "models/text/feed_forward.h"
#include "ops/elementwise.h"
#include "ops/embedding.h"
#include "ops/gather.h"

namespace sensorium {
namespace {

constexpr std::string_view kEmbeddingName = "model.embed_tokens.weight";
constexpr std::string_view kHeadName = "lm_head.weight";

void check_batch(const ForwardBatch& batch, int64_t embedding_width) {
  const size_t num_tokens = batch.token_ids.size();
  if (num_tokens == 0 || batch.positions_t.size() != num_tokens || batch.positions_h.size() != num_tokens ||
      batch.positions_w.size() != num_tokens || batch.slots.size() != num_tokens) {
    throw Error(ErrorCode::kInvalidArgument, "token ids, positions and slots of a step differ in number or are none");
  }
  if (!batch.context_lengths.empty() && batch.context_lengths.size() != batch.sequences.size()) {
    throw Error(ErrorCode::kInvalidArgument, "sequences and their context lengths differ in number");
  }
  for (const EmbeddingOverlay& overlay : batch.overlays) {
    if (overlay.rows.cols != embedding_width || overlay.row_begin < 0 ||
        overlay.row_begin + overlay.rows.rows > static_cast<int64_t>(num_tokens)) {
      throw Error(ErrorCode::kInvalidArgument, "encoder rows do not fit into the step's embeddings");
    }
  }
}

Linear load_qkv(const TextConfig& config, WeightLoader& loader) {
  const auto& [num_heads, num_kv_heads, head_dim] = config.heads;
  const int64_t q_cols = num_heads * head_dim, kv_cols = num_kv_heads * head_dim;
  const bool has_bias = config.has_qkv_bias;
  if (loader.has("self_attn.qkv_proj.weight")) {
    return Linear::load(loader, config.hidden_size, {{"self_attn.qkv_proj", q_cols + 2 * kv_cols, has_bias}});
  }
  return Linear::load(loader, config.hidden_size,
                      {{"self_attn.q_proj", q_cols, has_bias},
                       {"self_attn.k_proj", kv_cols, has_bias},
                       {"self_attn.v_proj", kv_cols, has_bias}});
}

std::optional<QkNorm> load_qk_norm(const TextConfig& config, WeightLoader& loader) {
  if (!config.has_qk_norm) return std::nullopt;
  Norm q = Norm::rms(loader, "self_attn.q_norm", config.heads.head_dim, config.rms_norm_eps);
  return QkNorm{std::move(q), Norm::rms(loader, "self_attn.k_norm", config.heads.head_dim, config.rms_norm_eps)};
}

}  // namespace

TextDecoder::TextDecoder(const TextConfig& config, WeightLoader& loader)
    : config_(config),
      backend_(loader.backend()),
      rotary_(config.rotary),
      embedding_(loader.table(kEmbeddingName, config.vocab_size, config.hidden_size)),
      layers_([&] {
        std::vector<DecoderLayer> layers;
        for (int64_t i = 0; i < config.num_layers; ++i) layers.push_back(load_layer(loader.scope("model.layers", i), i));
        return layers;
      }()),
      final_norm_(Norm::rms(loader, "model.norm", config.hidden_size, config.rms_norm_eps)),
      head_(config.is_tied || !loader.has(kHeadName)
                ? embedding_
                : std::shared_ptr<const PackedMatrix>(loader.table(kHeadName, config.vocab_size, config.hidden_size)),
            config.vocab_size) {}

DecoderLayer TextDecoder::load_layer(WeightLoader loader, int64_t index) const {
  Norm attention_norm = Norm::rms(loader, "input_layernorm", config_.hidden_size, config_.rms_norm_eps);
  Linear qkv = load_qkv(config_, loader);
  std::optional<QkNorm> qk_norm = load_qk_norm(config_, loader);
  Linear attention_out = Linear::load(loader, config_.heads.num_heads * config_.heads.head_dim,
                                      {{"self_attn.o_proj", config_.hidden_size, config_.has_attention_out_bias}});
  Norm mlp_norm = Norm::rms(loader, "post_attention_layernorm", config_.hidden_size, config_.rms_norm_eps);
  return DecoderLayer({std::move(attention_norm), std::move(qkv), std::move(qk_norm), std::move(attention_out),
                       std::move(mlp_norm), load_feed_forward(loader, config_, index), config_.heads, index,
                       config_.layer_windows[static_cast<size_t>(index)]});
}

void TextDecoder::forward(const ForwardBatch& batch, KvCache& cache, Arena& arena, Matrix logits) const {
  Arena::Scope scope(arena);
  const Matrix hidden = arena.matrix(static_cast<int64_t>(batch.output_rows.size()), config_.hidden_size);
  forward_hidden(batch, cache, arena, hidden);
  if (hidden.rows > 0) head_.forward(backend_, hidden, logits);
}

void TextDecoder::forward_hidden(const ForwardBatch& batch, KvCache& cache, Arena& arena, Matrix output) const {
  check_batch(batch, embedding_width(config_));
  Arena::Scope scope(arena);
  const auto num_tokens = static_cast<int64_t>(batch.token_ids.size());
  const Matrix hidden = arena.matrix(num_tokens, config_.hidden_size);
  embed(batch, hidden);
  const Matrix cos = arena.matrix(num_tokens, rotary_.num_frequencies());
  const Matrix sin = arena.matrix(num_tokens, rotary_.num_frequencies());
  rotate(batch, cos, sin);
  const AttentionStep step{cache, cos, sin, batch.slots, batch.sequences};
  // After the last attention only the wanted rows matter, unless that layer has a deepstack level too.
  const bool has_thin_end = config_.num_deepstack_levels < config_.num_layers;
  for (size_t i = 0; i < layers_.size() - (has_thin_end ? 1 : 0); ++i) {
    layers_[i].attend(backend_, arena, step, hidden);
    layers_[i].feed_forward(backend_, arena, hidden);
    add_deepstack(batch, static_cast<int64_t>(i), hidden);
  }
  if (has_thin_end) layers_.back().attend(backend_, arena, step, hidden);
  if (batch.output_rows.empty()) return;
  ops::gather_rows(backend_, hidden, batch.output_rows, 1, output);
  if (has_thin_end) layers_.back().feed_forward(backend_, arena, output);
  final_norm_.forward(backend_, output, output);
}

void TextDecoder::rotate(const ForwardBatch& batch, Matrix cos, Matrix sin) const {
  if (!rotary_.short_context()) {
    return rotary_.fill(backend_, batch.positions_t, batch.positions_h, batch.positions_w, cos, sin);
  }
  for (size_t i = 0; i < batch.sequences.size(); ++i) {
    const PagedSequence& sequence = batch.sequences[i];
    const auto first = static_cast<size_t>(sequence.query_begin), count = static_cast<size_t>(sequence.num_query_tokens);
    const int64_t context_length = batch.context_lengths.empty() ? sequence.kv_length : batch.context_lengths[i];
    rotary_.fill(backend_, batch.positions_t.subspan(first, count), batch.positions_h.subspan(first, count),
                 batch.positions_w.subspan(first, count), cos.row_range(sequence.query_begin, sequence.num_query_tokens),
                 sin.row_range(sequence.query_begin, sequence.num_query_tokens), rotary_.range_of(context_length));
  }
}

void TextDecoder::embed(const ForwardBatch& batch, Matrix hidden) const {
  ops::embedding(backend_, *embedding_, batch.token_ids, hidden);
  for (const EmbeddingOverlay& overlay : batch.overlays) {
    ops::copy(backend_, overlay.rows.columns(0, hidden.cols), hidden.row_range(overlay.row_begin, overlay.rows.rows));
  }
}

void TextDecoder::add_deepstack(const ForwardBatch& batch, int64_t level, Matrix hidden) const {
  if (level >= config_.num_deepstack_levels) return;
  for (const EmbeddingOverlay& overlay : batch.overlays) {
    ops::add(backend_, overlay.rows.columns((1 + level) * hidden.cols, hidden.cols),
             hidden.row_range(overlay.row_begin, overlay.rows.rows));
  }
}

}  // namespace sensorium
