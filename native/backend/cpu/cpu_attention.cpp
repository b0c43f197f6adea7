#include <algorithm>
#include <vector>

#include "backend/cpu/cpu_backend.h"
#include "backend/cpu/kv_cache.h"

namespace sensorium {
namespace {

/// Floats of a cache line.
constexpr int64_t kLineFloats = 16;

int64_t ceil_div(int64_t a, int64_t b) { return (a + b - 1) / b; }

/// First task of each sequence or segment, and behind them the number of tasks.
class TaskIndex {
 public:
  void add(int64_t num_tasks) { first_.push_back(first_.back() + num_tasks); }
  int64_t num_tasks() const { return first_.back(); }
  size_t owner(int64_t task) const {
    return static_cast<size_t>(std::upper_bound(first_.begin(), first_.end(), task) - first_.begin()) - 1;
  }
  int64_t first(size_t owner) const { return first_[owner]; }

 private:
  std::vector<int64_t> first_ = {0};
};

Range row_block(int64_t block, int64_t num_rows) { return {block * kQueryRows, std::min((block + 1) * kQueryRows, num_rows)}; }

}  // namespace

std::unique_ptr<KvCache> CpuBackend::create_kv_cache(const KvCacheShape& shape) {
  auto cache = std::make_unique<CpuKvCache>(shape, compute_dtype_);
  pool_.parallel_for(shape.num_blocks, 64, [&](int64_t begin, int64_t end) { cache->clear_blocks(begin, end - begin); });
  return cache;
}

void CpuBackend::write_kv(KvCache& cache, int64_t layer, ConstMatrix k, ConstMatrix v, std::span<const int32_t> slots) {
  auto& kv = static_cast<CpuKvCache&>(cache);
  for_rows(k, [&](int64_t begin, int64_t count) {
    for (int64_t r = begin; r < begin + count; ++r) {
      kv.write_row(layer, slots[static_cast<size_t>(r)], k.row(r), v.row(r));
    }
  });
}

void CpuBackend::read_keys(const KvCache& cache, int64_t layer, int64_t kv_head, std::span<const int32_t> block_table,
                           Matrix keys) {
  static_cast<const CpuKvCache&>(cache).read_keys(layer, kv_head, block_table, keys);
}

void CpuBackend::paged_attention(const KvCache& cache, int64_t layer, ConstMatrix q, int64_t num_heads, float scale,
                                 int64_t window, std::span<const PagedSequence> sequences, Matrix out) {
  const auto& kv = static_cast<const CpuKvCache&>(cache);
  const int64_t head_dim = kv.shape().head_dim;
  const int64_t num_kv_heads = kv.shape().num_kv_heads;
  const int64_t group_size = num_heads / num_kv_heads;
  TaskIndex tasks;
  for (const PagedSequence& sequence : sequences) {
    tasks.add(num_kv_heads * ceil_div(sequence.num_query_tokens * group_size, kQueryRows));
  }
  if (tasks.num_tasks() == 0) return;
  reserve_scratch(table_.attention_scratch(head_dim));
  for_items(tasks.num_tasks(), [&](int thread_index, int64_t task) {
    const size_t owner = tasks.owner(task);
    const PagedSequence& sequence = sequences[owner];
    const int64_t kv_head = (task - tasks.first(owner)) % num_kv_heads;
    const int64_t block = (task - tasks.first(owner)) / num_kv_heads;
    AttentionRows call;
    call.q = q.row(sequence.query_begin) + kv_head * group_size * head_dim;
    call.q_stride = q.row_stride;
    call.out = out.row(sequence.query_begin) + kv_head * group_size * head_dim;
    call.out_stride = out.row_stride;
    call.group_size = group_size;
    call.head_dim = head_dim;
    call.scale = scale;
    call.num_keys = sequence.kv_length;
    call.num_tokens = sequence.num_query_tokens;
    call.is_causal = true;
    call.window = window;
    table_.paged_attention(call, row_block(block, sequence.num_query_tokens * group_size),
                           kv.keys(layer, kv_head, sequence.block_table.data()), scratch(thread_index));
  });
}

void CpuBackend::segment_attention(ConstMatrix q, ConstMatrix k, ConstMatrix v, int64_t num_heads, int64_t num_kv_heads,
                                   int64_t head_dim, float scale, std::span<const int32_t> cu_seqlens, Matrix out) {
  if (cu_seqlens.size() < 2) return;
  const int64_t group_size = num_heads / num_kv_heads;
  int64_t max_keys = k.rows - cu_seqlens[cu_seqlens.size() - 2];
  for (size_t i = 0; i + 1 < cu_seqlens.size(); ++i) max_keys = std::max<int64_t>(max_keys, cu_seqlens[i + 1] - cu_seqlens[i]);
  const SegmentKernels& kernels = uses_tiles() ? table_.tiles->segments : table_.segments;
  const int64_t keys_size = ceil_div(kernels.keys_size(max_keys, head_dim), kLineFloats) * kLineFloats;
  const int64_t values_size = ceil_div(kernels.values_size(max_keys, head_dim), kLineFloats) * kLineFloats;
  reserve_scratch(keys_size + values_size + kernels.scratch_size(head_dim));
  const auto num_segments = static_cast<int64_t>(cu_seqlens.size()) - 1;
  for_items(num_segments * num_kv_heads, [&](int thread_index, int64_t item) {
    const auto segment = static_cast<size_t>(item / num_kv_heads);
    const int64_t kv_head = item % num_kv_heads;
    const int64_t begin = cu_seqlens[segment];
    const int64_t num_tokens = cu_seqlens[segment + 1] - begin;
    const bool is_last = static_cast<int64_t>(segment) + 1 == num_segments;
    const int64_t num_keys = is_last ? k.rows - begin : num_tokens;
    float* keys = scratch(thread_index);
    float* values = keys + keys_size;
    float* rest = values + values_size;
    kernels.pack(k.row_range(begin, num_keys).columns(kv_head * head_dim, head_dim),
                 v.row_range(begin, num_keys).columns(kv_head * head_dim, head_dim), keys, values);
    AttentionRows call;
    call.q = q.row(begin) + kv_head * group_size * head_dim;
    call.q_stride = q.row_stride;
    call.out = out.row(begin) + kv_head * group_size * head_dim;
    call.out_stride = out.row_stride;
    call.group_size = group_size;
    call.head_dim = head_dim;
    call.scale = scale;
    call.num_keys = num_keys;
    call.num_tokens = num_tokens;
    for (int64_t block = 0; block < ceil_div(num_tokens * group_size, kQueryRows); ++block) {
      kernels.attend(call, row_block(block, num_tokens * group_size), keys, values, rest);
    }
  });
}

}  // namespace sensorium
