#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "backend/backend.h"
#include "core/arena.h"
#include "core/media_input.h"
#include "layers/token_alignment.h"

namespace sensorium {

/// Positions of a prompt, [3][length] (temporal, height, width), and where generation continues.
/// float32: whole numbers for every family but those with fractional video time.
struct PromptPositions {
  std::vector<float> t, h, w;
  /// Position of the token at index i >= length is i + delta on all three axes.
  float delta = 0.0F;
};

/// Encoder rows that replace the embeddings of placeholder tokens in this step.
struct EmbeddingOverlay {
  int32_t row_begin = 0;  ///< first flattened row of the step
  /// Rows [count, embedding_width] of the item's encoder output (row_stride may exceed the hidden size: further
  /// columns are deepstack features, hidden each).
  ConstMatrix rows;
};

/// What a sequence of an encoder-decoder model attends to: keys and values of encoder rows, in blocks of the cache.
struct CrossSource {
  std::span<const int32_t> block_table;  ///< ceil(num_rows / block_size) or more
  int32_t num_rows = 0;
  /// [num_rows, embedding_width] encoder rows whose keys and values this step stores; data == nullptr: they are stored.
  ConstMatrix rows;
};

/// One step's tokens of all its sequences, flattened.
struct ForwardBatch {
  std::span<const int32_t> token_ids;                            ///< [num_tokens]
  std::span<const float> positions_t, positions_h, positions_w;  ///< [num_tokens] each
  std::span<const int32_t> slots;                                ///< [num_tokens] cache slot of each token
  std::span<const PagedSequence> sequences;
  std::span<const EmbeddingOverlay> overlays;
  std::span<const int32_t> output_rows;  ///< flattened rows whose logits (or hidden states) are wanted
  /// [sequences] tokens that each sequence has, computed or not: RoPE may depend on it. Empty: each one's kv_length.
  std::span<const int32_t> context_lengths = {};
  std::span<const CrossSource> cross = {};  ///< [sequences] of an encoder-decoder model, else empty
};

struct ModelInfo {
  std::string architecture;  ///< as config.json says
  std::string family;        ///< registry name: "qwen2", "qwen2_vl", ...
  int64_t vocab_size = 0;
  int64_t hidden_size = 0;
  int64_t embedding_width = 0;  ///< columns of an encoder row: hidden_size * (1 + deepstack levels)
  int64_t num_layers = 0;
  int64_t num_kv_heads = 0;
  int64_t head_dim = 0;
  int64_t max_position_embeddings = 0;
  /// Encoder-decoder models: rows of the one encoder item that each request has. 0: there is no cross-attention.
  int64_t num_cross_rows = 0;
  /// Sequences of more tokens turn with other RoPE frequencies: keys cached at this length or less do not serve them.
  std::optional<int64_t> short_context;
  int64_t num_parameters = 0;
  size_t weight_bytes = 0;
  bool has_image = false, has_video = false, has_audio = false;
};

/// A loaded checkpoint. Const methods are pure and may be called by any thread at any time; the others by one at a time.
class Model {
 public:
  virtual ~Model() = default;
  virtual const ModelInfo& info() const = 0;
  /// Positions of an expanded prompt. Throws kInvalidArgument when placeholder runs and grids do not agree.
  virtual PromptPositions positions(std::span<const int32_t> prompt_ids, std::span<const MediaItem> media) const = 0;
  /// Number of encoder rows that `media` yields, as features or as ready-made embeddings; throws kInvalidMedia on shapes
  /// the family does not read.
  virtual int64_t num_encoder_rows(const ProcessedMedia& media) const = 0;
  /// Runs the encoder, or passes ready-made embeddings through: [num_encoder_rows, embedding_width].
  virtual Tensor encode(const ProcessedMedia& media, Arena& arena) = 0;
  /// Runs the language model, writes this step's keys and values, and fills logits [output_rows, vocab_size].
  virtual void forward(const ForwardBatch& batch, KvCache& cache, Arena& arena, Matrix logits) = 0;
  /// As forward(), but yields hidden states after the final norm, [output_rows, hidden_size] (tests, embedding models).
  virtual void forward_hidden(const ForwardBatch& batch, KvCache& cache, Arena& arena, Matrix hidden) = 0;
  /// As forward(), of an encoder-decoder model, up to the last of the layers that `heads` are in: what the heads ask of the
  /// encoder's rows, [num_tokens, heads * head_dim]. Throws kInvalidArgument on models without cross-attention.
  virtual void forward_queries(const ForwardBatch& batch, std::span<const AttentionHead> heads, KvCache& cache, Arena& arena,
                               Matrix queries);
  /// First encoder row of each token, from the queries that they had. Throws as forward_queries().
  virtual std::vector<int32_t> align(const TokenAlignment& alignment, const KvCache& cache, Arena& arena);
  std::unique_ptr<KvCache> create_kv_cache(Backend& backend, int64_t num_blocks, int64_t block_size) const {
    return backend.create_kv_cache({info().num_layers, num_blocks, block_size, info().num_kv_heads, info().head_dim});
  }
};

/// Called while loading with bytes read so far and in all.
using LoadProgress = std::function<void(size_t done_bytes, size_t total_bytes)>;

/// Loads a Hub-layout folder. `backend` must outlive the model. Throws kInvalidCheckpoint (file, tensor, expectation),
/// kUnsupportedArchitecture (names the supported ones).
/// `unread_tensors`, where given, takes the names of tensors that the config does not ask for. `companion` is the folder of
/// the tensors that an adapter (Ultravox) leaves to another checkpoint; empty: looked for beside it.
std::unique_ptr<Model> load_model(const std::filesystem::path& folder, Backend& backend, const LoadProgress& progress,
                                  std::vector<std::string>* unread_tensors = nullptr, std::filesystem::path companion = {});

/// Folder of the tensors that the checkpoint in `folder` leaves to another one; empty: none, or none is found.
std::filesystem::path find_companion(const std::filesystem::path& folder);

/// Registry names of the families, for messages.
std::vector<std::string> supported_architectures();

}  // namespace sensorium
