#include "ops/kv_cache.h"

#include "ops/shape_check.h"

namespace sensorium::ops {

void write_kv(Backend& backend, KvCache& cache, int64_t layer, ConstMatrix k, ConstMatrix v, std::span<const int32_t> slots) {
  check_equal("write_kv", "number of slots", static_cast<int64_t>(slots.size()), k.rows);
  check_shape("write_kv", "v", v, k.rows, k.cols);
  for (const int32_t slot : slots) check_index("write_kv", "slot", slot, 0, cache.num_blocks() * cache.block_size());
  backend.write_kv(cache, layer, k, v, slots);
}

}  // namespace sensorium::ops
