#pragma once

#include <atomic>
#include <bit>
#include <limits>
#include <mutex>
#include <string>
#include <vector>

#include "core/error.h"
#include "engine/sampler.h"
#include "models/model.h"

/// A model whose logits are a hash of everything that attention would see in the cache: token or encoder row and position
/// of each key. A wrong block, slot, position, overlay or a stale key changes the answer.
namespace fake {

using namespace sensorium;

constexpr int32_t kVocabSize = 97;
constexpr int32_t kEosId = 5;
constexpr int32_t kPlaceholderId = 96;
constexpr int32_t kThrowingId = 90;  ///< a forward pass that computes this token throws
constexpr int32_t kNanId = 91;       ///< logits after this token are not finite
constexpr int32_t kHiddenSize = 2;

inline uint64_t mix(uint64_t state, uint64_t value) {
  state = (state ^ value) * 0xBF58476D1CE4E5B9U;
  return state ^ (state >> 29);
}

inline uint64_t key_of(uint64_t content, float t, float h, float w) {
  uint64_t key = mix(0x51, content);
  for (const float position : {t, h, w}) key = mix(key, std::bit_cast<uint32_t>(position));
  return key;
}

inline uint64_t row_content(const float* row) {
  return mix(mix(0x77, std::bit_cast<uint32_t>(row[0])), std::bit_cast<uint32_t>(row[1]));
}

inline void fill_logits(uint64_t state, int32_t last_token, float* logits) {
  for (int32_t i = 0; i < kVocabSize; ++i) {
    logits[i] = static_cast<float>(mix(state, static_cast<uint64_t>(i)) >> 40) * 0x1.0p-21F;
  }
  // Special tokens come from prompts alone.
  for (const int32_t id : {kPlaceholderId, kThrowingId, kNanId}) logits[id] = -50.0F;
  if (last_token == kNanId) logits[3] = std::numeric_limits<float>::quiet_NaN();
}

struct FakeKvCache : KvCache {
  explicit FakeKvCache(const KvCacheShape& shape) : shape(shape) {
    keys.resize(static_cast<size_t>(shape.num_blocks * shape.block_size), 0xDEAD);
  }
  int64_t num_blocks() const override { return shape.num_blocks; }
  int64_t block_size() const override { return shape.block_size; }
  size_t size_bytes() const override { return keys.size() * sizeof(uint64_t); }
  void copy_block(int32_t from, int32_t to) override {
    for (int64_t i = 0; i < shape.block_size; ++i) {
      keys[static_cast<size_t>(to * shape.block_size + i)] = keys[static_cast<size_t>(from * shape.block_size + i)];
    }
  }
  KvCacheShape shape;
  std::vector<uint64_t> keys;
};

/// Offers a cache and threads; the fake model needs no kernels.
struct FakeBackend : Backend {
  std::string_view name() const override { return "fake"; }
  DType compute_dtype() const override { return DType::kFloat32; }
  TileUnit tile_unit() const override { return TileUnit::kNone; }
  std::unique_ptr<PackedMatrix> pack(std::span<const WeightSlice>) override { return nullptr; }
  std::unique_ptr<PackedMatrix> pack_gated(const WeightSlice&, const WeightSlice&) override { return nullptr; }
  void linear(const PackedMatrix&, ConstMatrix, Matrix, const Epilogue&) override {}
  void embedding(const PackedMatrix&, std::span<const int32_t>, Matrix) override {}
  void rms_norm(ConstMatrix, const float*, float, Matrix) override {}
  void layer_norm(ConstMatrix, const float*, const float*, float, Matrix) override {}
  void activate(ConstMatrix, Activation, Matrix) override {}
  void add(ConstMatrix, Matrix) override {}
  void rope(Matrix, int64_t, int64_t, ConstMatrix, ConstMatrix) override {}
  void segment_attention(ConstMatrix, ConstMatrix, ConstMatrix, int64_t, int64_t, int64_t, float, std::span<const int32_t>,
                         Matrix) override {}
  std::unique_ptr<KvCache> create_kv_cache(const KvCacheShape& shape) override { return std::make_unique<FakeKvCache>(shape); }
  void write_kv(KvCache&, int64_t, ConstMatrix, ConstMatrix, std::span<const int32_t>) override {}
  void read_keys(const KvCache&, int64_t, int64_t, std::span<const int32_t>, Matrix) override {}
  void paged_attention(const KvCache&, int64_t, ConstMatrix, int64_t, float, int64_t, std::span<const PagedSequence>,
                       Matrix) override {}
  ThreadPool& thread_pool() override { return threads; }
  ThreadPool threads{2};
};

/// What tests count, outliving the model.
struct Counters {
  std::atomic<int> num_encoded = 0, num_forwards = 0, num_computed_tokens = 0, max_batch_tokens = 0;
  /// Hold forward passes and encoders back while locked by a test; num_arrived counts forward passes that came to it.
  std::mutex gate, encoder_gate;
  std::atomic<int> num_arrived = 0;
};

/// Media: features [rows, 1] whose first value names the content; a negative one makes the encoder throw.
inline std::shared_ptr<const ProcessedMedia> make_media(int32_t rows, float content) {
  auto media = std::make_shared<ProcessedMedia>();
  media->features = Tensor({rows, 1});
  std::fill_n(media->features.data(), rows, content);
  media->grid_t = media->grid_h = 1;
  media->grid_w = rows;
  return media;
}

inline Tensor encoder_rows(const ProcessedMedia& media) {
  const int64_t rows = media.features.shape()[0];
  Tensor out({rows, kHiddenSize});
  for (int64_t r = 0; r < rows; ++r) {
    out.data()[r * kHiddenSize] = media.features.data()[0];
    out.data()[r * kHiddenSize + 1] = static_cast<float>(r);
  }
  return out;
}

/// Text counts on; placeholders of an item share its temporal position, and generation goes on three after the end.
inline PromptPositions positions_of(std::span<const int32_t> prompt, std::span<const MediaItem> media) {
  PromptPositions positions;
  for (size_t i = 0; i < prompt.size(); ++i) {
    for (auto* axis : {&positions.t, &positions.h, &positions.w}) axis->push_back(static_cast<float>(i));
  }
  for (const MediaItem& item : media) {
    for (const TokenRun& run : item.runs) {
      for (int32_t i = 0; i < run.count; ++i) positions.t[static_cast<size_t>(run.offset + i)] = static_cast<float>(run.offset);
    }
  }
  positions.delta = media.empty() ? 0.0F : 3.0F;
  return positions;
}

struct FakeModel : Model {
  explicit FakeModel(std::shared_ptr<Counters> shared) : counters(std::move(shared)) {
    model_info.architecture = model_info.family = "fake";
    model_info.vocab_size = kVocabSize;
    model_info.hidden_size = model_info.embedding_width = kHiddenSize;
    model_info.num_layers = model_info.num_kv_heads = model_info.head_dim = 1;
    model_info.has_image = true;
  }
  const ModelInfo& info() const override { return model_info; }
  PromptPositions positions(std::span<const int32_t> prompt, std::span<const MediaItem> media) const override {
    return positions_of(prompt, media);
  }
  int64_t num_encoder_rows(const ProcessedMedia& media) const override {
    if (media.embeddings.empty()) return media.features.shape()[0];
    if (media.embeddings.shape()[1] != kHiddenSize) throw Error(ErrorCode::kInvalidMedia, "embeddings of another width");
    return media.embeddings.shape()[0];
  }
  Tensor encode(const ProcessedMedia& media, Arena&) override {
    if (!media.embeddings.empty()) {
      return Tensor::from({media.embeddings.data(), DType::kFloat32, media.embeddings.shape()});
    }
    counters->num_encoded++;
    const std::lock_guard lock(counters->encoder_gate);
    if (media.features.data()[0] < 0) throw Error(ErrorCode::kInvalidMedia, "the fake encoder refuses this item");
    return encoder_rows(media);
  }
  void forward(const ForwardBatch& batch, KvCache& cache, Arena&, Matrix logits) override {
    counters->num_arrived++;
    const std::lock_guard lock(counters->gate);
    const auto num_tokens = static_cast<int>(batch.token_ids.size());
    counters->num_forwards++;
    counters->num_computed_tokens += num_tokens;
    counters->max_batch_tokens = std::max(counters->max_batch_tokens.load(), num_tokens);
    write_keys(batch, static_cast<FakeKvCache&>(cache));
    int64_t output = 0;
    for (const PagedSequence& sequence : batch.sequences) {
      for (int32_t q = 0; q < sequence.num_query_tokens; ++q) {
        const int32_t row = sequence.query_begin + q;
        if (output == std::ssize(batch.output_rows) || batch.output_rows[static_cast<size_t>(output)] != row) continue;
        const int32_t length = sequence.kv_length - sequence.num_query_tokens + q + 1;
        fill_logits(hash_keys(sequence, length, static_cast<FakeKvCache&>(cache)), batch.token_ids[static_cast<size_t>(row)],
                    logits.row(output++));
      }
    }
    if (output != std::ssize(batch.output_rows) || output != logits.rows) throw Error(ErrorCode::kInternal, "bad output rows");
  }
  void forward_hidden(const ForwardBatch&, KvCache&, Arena&, Matrix hidden) override {
    for (int64_t r = 0; r < hidden.rows; ++r) std::fill_n(hidden.row(r), hidden.cols, 1.0F);
  }

  static void write_keys(const ForwardBatch& batch, FakeKvCache& cache) {
    std::vector<uint64_t> contents(batch.token_ids.begin(), batch.token_ids.end());
    for (const EmbeddingOverlay& overlay : batch.overlays) {
      for (int64_t r = 0; r < overlay.rows.rows; ++r) {
        contents[static_cast<size_t>(overlay.row_begin + r)] = row_content(overlay.rows.row(r));
      }
    }
    for (size_t i = 0; i < contents.size(); ++i) {
      if (batch.token_ids[i] == kThrowingId) throw std::runtime_error("the fake model fails on this token");
      cache.keys.at(static_cast<size_t>(batch.slots[i])) =
          key_of(contents[i], batch.positions_t[i], batch.positions_h[i], batch.positions_w[i]);
    }
  }
  static uint64_t hash_keys(const PagedSequence& sequence, int32_t length, const FakeKvCache& cache) {
    uint64_t state = 1;
    for (int32_t i = 0; i < length; ++i) {
      const auto block = sequence.block_table[static_cast<size_t>(i / cache.shape.block_size)];
      state = mix(state, cache.keys.at(static_cast<size_t>(block * cache.shape.block_size + i % cache.shape.block_size)));
    }
    return state;
  }

  ModelInfo model_info;
  std::shared_ptr<Counters> counters;
};

/// What continuation `index` of the request must yield, worked out without blocks, batches or caches.
inline std::vector<int32_t> expected_tokens(const EngineRequest& request, int32_t index, int32_t max_length) {
  PromptPositions positions = positions_of(request.prompt_ids, request.media);
  std::vector<uint64_t> contents(request.prompt_ids.begin(), request.prompt_ids.end());
  for (const MediaItem& item : request.media) {
    const Tensor rows = encoder_rows(*item.media);
    int64_t row = 0;
    for (const TokenRun& run : item.runs) {
      for (int32_t i = 0; i < run.count; ++i) {
        contents[static_cast<size_t>(run.offset + i)] = row_content(rows.data() + kHiddenSize * row++);
      }
    }
  }
  uint64_t state = 1;
  for (size_t i = 0; i < contents.size(); ++i) {
    state = mix(state, key_of(contents[i], positions.t[i], positions.h[i], positions.w[i]));
  }
  const SamplingParams& params = request.sampling;
  std::vector<int32_t> stop_ids = params.stop_token_ids;
  if (!params.ignore_eos) stop_ids.push_back(kEosId);
  TokenHistory history;
  history.add_prompt(request.prompt_ids);
  Sampler sampler;
  std::vector<int32_t> tokens;
  std::vector<float> logits(kVocabSize);
  for (;;) {
    fill_logits(state, tokens.empty() ? request.prompt_ids.back() : tokens.back(), logits.data());
    SamplerInput input{params, history, {}, params.seed.value_or(0), index, std::ssize(tokens)};
    if (std::ssize(tokens) < params.min_tokens) input.banned_ids = stop_ids;
    const int32_t token = sampler.sample(logits, input).token_id;
    tokens.push_back(token);
    history.add_generated(token);
    const auto length = static_cast<int32_t>(request.prompt_ids.size() + tokens.size());
    const bool is_stopped = std::find(stop_ids.begin(), stop_ids.end(), token) != stop_ids.end();
    if (is_stopped || std::ssize(tokens) >= params.max_tokens || length >= max_length) return tokens;
    const float position = static_cast<float>(length - 1) + positions.delta;
    state = mix(state, key_of(static_cast<uint64_t>(token), position, position, position));
  }
}

}  // namespace fake
