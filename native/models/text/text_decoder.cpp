#include "models/text/text_decoder.h"

#include <string>

#include "core/error.h"
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
  for (const EmbeddingOverlay& overlay : batch.overlays) {
    if (overlay.rows.cols != embedding_width || overlay.row_begin < 0 ||
        overlay.row_begin + overlay.rows.rows > static_cast<int64_t>(num_tokens)) {
      throw Error(ErrorCode::kInvalidArgument, "encoder rows do not fit into the step's embeddings");
    }
  }
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
  const auto& [num_heads, num_kv_heads, head_dim] = config_.heads;
  const int64_t q_cols = num_heads * head_dim, kv_cols = num_kv_heads * head_dim;
  const bool has_bias = config_.has_qkv_bias;
  Norm attention_norm = Norm::rms(loader, "input_layernorm", config_.hidden_size, config_.rms_norm_eps);
  Linear qkv = Linear::load(loader, config_.hidden_size,
                            {{"self_attn.q_proj", q_cols, has_bias},
                             {"self_attn.k_proj", kv_cols, has_bias},
                             {"self_attn.v_proj", kv_cols, has_bias}});
  Linear attention_out = Linear::load(loader, q_cols, {{"self_attn.o_proj", config_.hidden_size}});
  Norm mlp_norm = Norm::rms(loader, "post_attention_layernorm", config_.hidden_size, config_.rms_norm_eps);
  Linear up = Linear::load_gated(loader, config_.hidden_size, {"mlp.gate_proj", config_.intermediate_size},
                                 {"mlp.up_proj", config_.intermediate_size});
  Linear down = Linear::load(loader, config_.intermediate_size, {{"mlp.down_proj", config_.hidden_size}});
  return DecoderLayer({std::move(attention_norm), std::move(qkv), std::move(attention_out), std::move(mlp_norm),
                       Mlp(std::move(up), std::move(down), config_.activation), config_.heads, index});
}

void TextDecoder::forward(const ForwardBatch& batch, KvCache& cache, Arena& arena, Matrix logits) const {
  Arena::Scope scope(arena);
  const Matrix hidden = arena.matrix(static_cast<int64_t>(batch.output_rows.size()), config_.hidden_size);
  forward_hidden(batch, cache, arena, hidden);
  if (hidden.rows > 0) head_.forward(backend_, hidden, logits);
}

void TextDecoder::forward_hidden(const ForwardBatch& batch, KvCache& cache, Arena& arena, Matrix output) const {
  check_batch(batch, config_.hidden_size);
  Arena::Scope scope(arena);
  const auto num_tokens = static_cast<int64_t>(batch.token_ids.size());
  const Matrix hidden = arena.matrix(num_tokens, config_.hidden_size);
  embed(batch, hidden);
  const Matrix cos = arena.matrix(num_tokens, rotary_.num_frequencies());
  const Matrix sin = arena.matrix(num_tokens, rotary_.num_frequencies());
  rotary_.fill(backend_, batch.positions_t, batch.positions_h, batch.positions_w, cos, sin);
  const AttentionStep step{cache, cos, sin, batch.slots, batch.sequences};
  for (size_t i = 0; i + 1 < layers_.size(); ++i) {
    layers_[i].attend(backend_, arena, step, hidden);
    layers_[i].feed_forward(backend_, arena, hidden);
  }
  layers_.back().attend(backend_, arena, step, hidden);
  if (batch.output_rows.empty()) return;
  // After the last attention only the wanted rows matter.
  ops::gather_rows(backend_, hidden, batch.output_rows, 1, output);
  layers_.back().feed_forward(backend_, arena, output);
  final_norm_.forward(backend_, output, output);
}

void TextDecoder::embed(const ForwardBatch& batch, Matrix hidden) const {
  ops::embedding(backend_, *embedding_, batch.token_ids, hidden);
  for (const EmbeddingOverlay& overlay : batch.overlays) {
    ops::copy(backend_, overlay.rows, hidden.row_range(overlay.row_begin, overlay.rows.rows));
  }
}

}  // namespace sensorium
