#pragma once

#include <vector>

#include "backend/backend.h"
#include "backend/cpu/table.h"

namespace sensorium {

/// Cuts each op into tasks for the thread pool and lets the table's kernels do them.
class CpuBackend : public Backend {
 public:
  CpuBackend(const KernelTable& table, DType compute_dtype, int num_threads);

  std::string_view name() const override { return table_.name; }
  DType compute_dtype() const override { return compute_dtype_; }
  TileUnit tile_unit() const override { return table_.tiles != nullptr ? table_.tiles->unit : TileUnit::kNone; }
  ProductUnit product_unit() const override { return uses_tiles() ? table_.tiles->product_unit : ProductUnit::kMultiplyAdd; }

  std::unique_ptr<PackedMatrix> pack(std::span<const WeightSlice> slices) override;
  std::unique_ptr<PackedMatrix> pack_gated(const WeightSlice& gate, const WeightSlice& up) override;
  void linear(const PackedMatrix& weight, ConstMatrix x, Matrix y, const Epilogue& epilogue) override;
  void embedding(const PackedMatrix& table, std::span<const int32_t> token_ids, Matrix y) override;

  void rms_norm(ConstMatrix x, const float* weight, float eps, Matrix y) override;
  void layer_norm(ConstMatrix x, const float* weight, const float* bias, float eps, Matrix y) override;
  void activate(ConstMatrix x, Activation activation, Matrix y) override;
  void add(ConstMatrix x, Matrix y) override;
  void rope(Matrix x, int64_t num_heads, int64_t head_dim, ConstMatrix cos, ConstMatrix sin) override;

  void segment_attention(ConstMatrix q, ConstMatrix k, ConstMatrix v, int64_t num_heads, int64_t num_kv_heads, int64_t head_dim,
                         float scale, std::span<const int32_t> cu_seqlens, Matrix out) override;
  std::unique_ptr<KvCache> create_kv_cache(const KvCacheShape& shape) override;
  void write_kv(KvCache& cache, int64_t layer, ConstMatrix k, ConstMatrix v, std::span<const int32_t> slots) override;
  void read_keys(const KvCache& cache, int64_t layer, int64_t kv_head, std::span<const int32_t> block_table,
                 Matrix keys) override;
  void paged_attention(const KvCache& cache, int64_t layer, ConstMatrix q, int64_t num_heads, float scale, int64_t window,
                       std::span<const PagedSequence> sequences, Matrix out) override;

  ThreadPool& thread_pool() override { return pool_; }

 private:
  /// Gives every thread at least `num_floats` of scratch memory, kept between calls.
  void reserve_scratch(int64_t num_floats);
  float* scratch(int thread_index);
  /// Tasks claimed one by one by all threads.
  void for_items(int64_t num_items, FunctionRef<void(int thread_index, int64_t item)> task);
  /// Splits the rows of x over the threads where there is enough to do.
  void for_rows(ConstMatrix x, FunctionRef<void(int64_t begin, int64_t count)> task);

  std::unique_ptr<PackedMatrix> pack_panels(std::span<const WeightSlice> slices, bool is_gated);
  bool uses_tiles() const { return table_.tiles != nullptr && compute_dtype_ == DType::kBFloat16; }
  void linear_on_tiles(const LinearCall& call, int64_t num_units);

  const KernelTable table_;
  const DType compute_dtype_;
  ThreadPool pool_;
  std::vector<Buffer> scratch_;  ///< one a thread
  Buffer packed_rows_;           ///< x of a tile product, rounded to bfloat16
};

}  // namespace sensorium
