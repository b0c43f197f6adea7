#pragma once

#include <span>

#include "backend/backend.h"
#include "backend/cpu/table.h"

namespace sensorium {

/// Blocks [layer][block][kv head][keys [head_dim][block_size], values [block_size][head_dim]].
class CpuKvCache final : public KvCache {
 public:
  CpuKvCache(const KvCacheShape& shape, DType dtype);

  int64_t num_blocks() const override { return shape_.num_blocks; }
  int64_t block_size() const override { return shape_.block_size; }
  size_t size_bytes() const override { return memory_.size_bytes(); }
  /// Zeroes blocks of every layer: rows that nobody wrote hold no NaN, and the memory is taken now, not request by request.
  void clear_blocks(int64_t first, int64_t count);
  void copy_block(int32_t from, int32_t to) override;

  const KvCacheShape& shape() const { return shape_; }
  void write_row(int64_t layer, int32_t slot, const float* k, const float* v);
  /// Keys of one kv head, [head_dim, tokens].
  void read_keys(int64_t layer, int64_t kv_head, std::span<const int32_t> block_table, Matrix keys) const;
  /// Where the kernels find one kv head of a layer.
  PagedKeys keys(int64_t layer, int64_t kv_head, const int32_t* block_table) const;

 private:
  KvCacheShape shape_;
  DType dtype_;
  int64_t head_size_;  ///< elements of one kv head in a block: its keys and values
  int64_t block_elements_;
  Buffer memory_;
};

}  // namespace sensorium
