#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string_view>

#include "core/tensor.h"
#include "core/thread_pool.h"

namespace sensorium {

enum class Activation { kNone, kSilu, kGeluErf, kGeluTanh, kQuickGelu };

/// The making of a table's tile unit: none, the CPU's instructions, or their emulation.
enum class TileUnit { kNone, kInstructions, kEmulated };

/// What linear() computes with. All but kMultiplyAdd round activations to bfloat16.
enum class ProductUnit { kMultiplyAdd, kBFloat16Dot, kTiles };

/// Rows of one or several [rows, cols] matrices on disk, stacked along rows and packed together (q‖k‖v, gate‖up).
struct WeightSlice {
  TensorView weight;               ///< [rows, cols], any float dtype
  std::optional<TensorView> bias;  ///< [rows]; a slice without one counts as zeros when another slice has one
};

/// A weight matrix [out_features, in_features] in the device's own layout, with its bias.
class PackedMatrix {
 public:
  virtual ~PackedMatrix() = default;
  virtual int64_t out_features() const = 0;  ///< rows on disk; a gated pair counts gate and up
  virtual int64_t in_features() const = 0;
  /// Columns of linear()'s result: out_features(), or half of them for a gated pair.
  virtual int64_t num_columns() const { return out_features(); }
  virtual size_t size_bytes() const = 0;
};

/// What is fused into the store of y = x Wᵀ + bias.
struct Epilogue {
  Activation activation = Activation::kNone;
  ConstMatrix residual;  ///< data == nullptr: none; else [rows, out] added after the activation; may alias y
};

/// Keys and values of all layers in fixed blocks of `block_size` tokens, in the device's own layout.
class KvCache {
 public:
  virtual ~KvCache() = default;
  virtual int64_t num_blocks() const = 0;
  virtual int64_t block_size() const = 0;
  virtual size_t size_bytes() const = 0;
  /// Copies one block of every layer (fork of a partly filled block).
  virtual void copy_block(int32_t from, int32_t to) = 0;
};

struct KvCacheShape {
  int64_t num_layers = 0;
  int64_t num_blocks = 0;
  int64_t block_size = 16;
  int64_t num_kv_heads = 0;
  int64_t head_dim = 0;
};

/// Keys that a query sees where nothing limits how far it looks back.
inline constexpr int64_t kWholeContext = int64_t{1} << 62;

/// The query rows of one sequence in a step and where its keys lie.
struct PagedSequence {
  int32_t query_begin = 0;               ///< first row of the step's flattened tokens
  int32_t num_query_tokens = 0;          ///< rows of this step
  int32_t kv_length = 0;                 ///< tokens in the cache including this step's; the last query sees all of them
  std::span<const int32_t> block_table;  ///< physical block of each logical block, ceil(kv_length / block_size) or more
};

/// What a device must do. Activations are float32; weights and cache are float32 or bfloat16, chosen at creation.
/// Every method is called from one thread at a time; each result element has a reduction order that depends neither on the
/// number of rows, nor on their place in the batch, nor on how a prompt was cut into chunks.
class Backend {
 public:
  virtual ~Backend() = default;
  virtual std::string_view name() const = 0;  ///< "generic", "avx2", "avx512", "amx"
  virtual DType compute_dtype() const = 0;    ///< kFloat32 (exact) or kBFloat16
  virtual TileUnit tile_unit() const = 0;     ///< how matrix tiles are computed, where the table has them
  virtual ProductUnit product_unit() const { return ProductUnit::kMultiplyAdd; }

  // --- weights
  /// Packs slices stacked along rows. Throws kInvalidArgument when their in_features differ.
  virtual std::unique_ptr<PackedMatrix> pack(std::span<const WeightSlice> slices) = 0;
  /// Packs gate and up [ffn, in] so that linear() yields activation(gate) * up, [rows, ffn].
  virtual std::unique_ptr<PackedMatrix> pack_gated(const WeightSlice& gate, const WeightSlice& up) = 0;

  // --- matrix products
  /// y = epilogue(x Wᵀ + bias); x [rows, in], y [rows, out] (gated: [rows, out / 2]). x and y do not overlap.
  virtual void linear(const PackedMatrix& weight, ConstMatrix x, Matrix y, const Epilogue& epilogue) = 0;
  /// y[r] = row token_ids[r] of an embedding table packed by pack(). Ids are checked by the caller.
  virtual void embedding(const PackedMatrix& table, std::span<const int32_t> token_ids, Matrix y) = 0;

  // --- rows
  /// y = x / sqrt(mean(x²) + eps) * weight; x and y may be the same.
  virtual void rms_norm(ConstMatrix x, const float* weight, float eps, Matrix y) = 0;
  /// y = (x - mean) / sqrt(var + eps) * weight + bias; x and y may be the same.
  virtual void layer_norm(ConstMatrix x, const float* weight, const float* bias, float eps, Matrix y) = 0;
  /// y = activation(x), same shape; may be the same.
  virtual void activate(ConstMatrix x, Activation activation, Matrix y) = 0;
  /// y += x.
  virtual void add(ConstMatrix x, Matrix y) = 0;
  /// Rotate-half RoPE in place on x [rows, num_heads * head_dim]; cos, sin [rows, rotary_dim / 2];
  /// dimensions i and i + rotary_dim / 2 of each head form a pair, dimensions from rotary_dim on are left alone.
  virtual void rope(Matrix x, int64_t num_heads, int64_t head_dim, ConstMatrix cos, ConstMatrix sin) = 0;

  // --- attention
  /// Bidirectional attention inside segments [cu_seqlens[i], cu_seqlens[i+1]) of rows; q, out [rows, num_heads * head_dim],
  /// k, v [rows, num_kv_heads * head_dim]. k and v may have fewer rows than q: the last queries then have no keys of their own.
  /// Never builds a full score matrix.
  virtual void segment_attention(ConstMatrix q, ConstMatrix k, ConstMatrix v, int64_t num_heads, int64_t num_kv_heads,
                                 int64_t head_dim, float scale, std::span<const int32_t> cu_seqlens, Matrix out) = 0;
  virtual std::unique_ptr<KvCache> create_kv_cache(const KvCacheShape& shape) = 0;
  /// Stores row r of k, v [rows, num_kv_heads * head_dim] at slot slots[r] = block * block_size + offset.
  virtual void write_kv(KvCache& cache, int64_t layer, ConstMatrix k, ConstMatrix v, std::span<const int32_t> slots) = 0;
  /// Copies the keys of one kv head that a block table's first keys.cols tokens have: keys [head_dim, tokens].
  virtual void read_keys(const KvCache& cache, int64_t layer, int64_t kv_head, std::span<const int32_t> block_table,
                         Matrix keys) = 0;
  /// Causal attention of each sequence's new rows over its cached keys (write_kv was called before), q, out [rows, heads *
  /// dim]. A query sees the last `window` keys up to its own.
  virtual void paged_attention(const KvCache& cache, int64_t layer, ConstMatrix q, int64_t num_heads, float scale,
                               int64_t window, std::span<const PagedSequence> sequences, Matrix out) = 0;

  virtual ThreadPool& thread_pool() = 0;
};

}  // namespace sensorium
