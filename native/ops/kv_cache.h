#pragma once

#include <cstdint>
#include <span>

#include "backend/backend.h"

namespace sensorium::ops {

/// Stores row r of k, v [rows, num_kv_heads * head_dim] at slot slots[r] = block * block_size + offset of the layer. Throws
/// kInvalidArgument when shapes do not agree or a slot lies outside the cache.
void write_kv(Backend& backend, KvCache& cache, int64_t layer, ConstMatrix k, ConstMatrix v, std::span<const int32_t> slots);

/// Copies the keys of one kv head that a block table's first keys.cols tokens have: keys [head_dim, tokens]. Throws
/// kInvalidArgument where the table is too short or names a block outside the cache.
void read_keys(Backend& backend, const KvCache& cache, int64_t layer, int64_t kv_head, std::span<const int32_t> block_table,
               Matrix keys);

}  // namespace sensorium::ops
