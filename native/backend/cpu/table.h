#pragma once

#include <cstdint>
#include <string_view>

#include "backend/backend.h"

namespace sensorium {

struct RowKernels;

/// Elements [begin, end) of a dimension.
struct Range {
  int64_t begin = 0;
  int64_t end = 0;
  int64_t size() const { return end - begin; }
};

/// Depth (k) of one block of a product and the row stride, in floats, of the packed rows that feed it. The stride is no
/// power of two, so that the rows of a tile lie in different cache sets.
inline constexpr int64_t kDepthBlock = 256;
inline constexpr int64_t kDepthStride = kDepthBlock + 16;

/// One call of linear(). A unit is the smallest piece of columns: one panel, or the gate and the up panel of a pair.
struct LinearCall {
  const void* panels = nullptr;  ///< [units][panels of a unit][in_features][panel_width], see PanelMatrix
  DType dtype = DType::kFloat32;
  const float* bias = nullptr;  ///< [units][panels of a unit][panel_width], or nullptr
  bool is_gated = false;
  int64_t in_features = 0;
  int64_t num_columns = 0;  ///< columns of y
  ConstMatrix x;
  Matrix y;
  Epilogue epilogue;
};

/// Query rows of one sequence or segment that share one head of keys. Row i is head i % group_size of the group in token
/// i / group_size.
struct AttentionRows {
  const float* q = nullptr;  ///< the group's first head in the first token
  int64_t q_stride = 0;      ///< floats between tokens
  float* out = nullptr;
  int64_t out_stride = 0;
  int64_t group_size = 1;
  int64_t head_dim = 0;
  float scale = 1.0F;
  int64_t num_keys = 0;    ///< keys that the last token sees
  bool is_causal = false;  ///< token t sees num_keys - (num_tokens - 1 - t) keys
  int64_t num_tokens = 0;
  int64_t window = kWholeContext;  ///< of the keys that a token sees, the last `window` count
};

/// Keys are visited in groups of this many, so that a row's arithmetic depends on its own position alone.
inline constexpr int64_t kKeyGroup = 64;
/// Query rows that one task takes through all key groups.
inline constexpr int64_t kQueryRows = 96;

/// Keys and values of one kv head inside a cache block: keys [head_dim][block_size], values [block_size][head_dim].
struct PagedKeys {
  const void* blocks = nullptr;  ///< keys of block 0
  int64_t block_stride = 0;      ///< elements from one block to the next
  int64_t value_offset = 0;      ///< elements from the keys to the values of a block
  int64_t block_size = 0;
  const int32_t* block_table = nullptr;
  DType dtype = DType::kFloat32;
};

/// Bidirectional attention of a segment whose keys and values are packed once a head. Sizes are in floats of memory; what the
/// memory holds is the kernels' own affair.
struct SegmentKernels {
  int64_t (*keys_size)(int64_t num_keys, int64_t head_dim);
  int64_t (*values_size)(int64_t num_keys, int64_t head_dim);
  int64_t (*scratch_size)(int64_t head_dim);
  /// Packs k and v [num_keys, head_dim] of one head.
  void (*pack)(ConstMatrix k, ConstMatrix v, float* keys, float* values);
  /// Computes the given query rows, at most kQueryRows.
  void (*attend)(const AttentionRows& call, Range rows, const float* keys, const float* values, float* scratch);
};

/// Rows and columns of a tile; bfloat16 tiles hold kTileDepth elements a row.
inline constexpr int64_t kTileSize = 16;
inline constexpr int64_t kTileDepth = 32;
inline constexpr int64_t kTileElements = kTileSize * kTileDepth;
/// Panels of a tile product: two tiles side by side.
inline constexpr int64_t kTilePanelWidth = 2 * kTileSize;

/// Kernels for bfloat16 on matrix tiles (layout PanelLayout::kTiles), or on instructions that read pairs of bfloat16.
struct TileKernels {
  TileUnit unit;
  ProductUnit product_unit;
  /// Rounds the rows of tiles [begin, end) to bfloat16: [row tiles][depth tiles][kTileSize][kTileDepth], padded with zeros.
  void (*pack_rows)(ConstMatrix x, Range row_tiles, uint16_t* packed);
  int64_t (*linear_scratch)(const LinearCall& call, int64_t num_rows, int64_t num_units);
  /// Computes rows x units of y from packed rows; rows.begin is a multiple of kTileSize.
  void (*linear)(const LinearCall& call, const uint16_t* packed_x, Range rows, Range units, float* scratch);
  SegmentKernels segments;
};

/// The kernels of one instruction set. Each works on one thread, in scratch memory that the caller gives (64-byte aligned).
struct KernelTable {
  std::string_view name;
  const RowKernels* rows;

  /// Columns of a panel: two vectors. bfloat16 panels hold in each 32-bit word column c (low half) and c + panel_width / 2.
  int64_t panel_width;
  /// Rows of a register tile.
  int64_t tile_rows;

  /// Scratch floats that linear() needs for `num_rows` rows.
  int64_t (*linear_scratch)(const LinearCall& call, int64_t num_rows);
  /// Computes rows x units of y.
  void (*linear)(const LinearCall& call, Range rows, Range units, float* scratch);

  int64_t (*attention_scratch)(int64_t head_dim);
  /// Causal attention of the given query rows, at most kQueryRows, over the paged cache.
  void (*paged_attention)(const AttentionRows& call, Range rows, const PagedKeys& keys, float* scratch);

  SegmentKernels segments;
  const TileKernels* tiles;  ///< for bfloat16, where the table has them
};

const KernelTable& generic_table();
const KernelTable& avx2_table();
const KernelTable& avx512_table();

/// BF16 dot instructions over the layouts of tiles: twice the speed of fp32 FMA on some CPUs, half of it on others.
const TileKernels& avx512_bf16_dots();
/// Measures once whether a dot does more work a second than an FMA. Needs the instructions.
bool are_avx512_bf16_dots_fast();

const TileKernels& amx_tiles();
const TileKernels& generic_emulated_tiles();
const TileKernels& avx2_emulated_tiles();
const TileKernels& avx512_emulated_tiles();

}  // namespace sensorium
