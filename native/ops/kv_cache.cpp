#include "ops/kv_cache.h"

#include "ops/shape_check.h"

namespace sensorium::ops {

void write_kv(Backend& backend, KvCache& cache, int64_t layer, ConstMatrix k, ConstMatrix v, std::span<const int32_t> slots) {
  check_equal("write_kv", "number of slots", static_cast<int64_t>(slots.size()), k.rows);
  check_shape("write_kv", "v", v, k.rows, k.cols);
  for (const int32_t slot : slots) check_index("write_kv", "slot", slot, 0, cache.num_blocks() * cache.block_size());
  backend.write_kv(cache, layer, k, v, slots);
}

void read_keys(Backend& backend, const KvCache& cache, int64_t layer, int64_t kv_head, std::span<const int32_t> block_table,
               Matrix keys) {
  const auto num_blocks = static_cast<size_t>((keys.cols + cache.block_size() - 1) / cache.block_size());
  check(block_table.size() >= num_blocks, "read_keys", "block_table is shorter than the keys");
  for (const int32_t block : block_table.first(num_blocks)) check_index("read_keys", "block", block, 0, cache.num_blocks());
  backend.read_keys(cache, layer, kv_head, block_table, keys);
}

}  // namespace sensorium::ops
