#pragma once

#include <cstdint>
#include <span>

#include "backend/backend.h"

namespace sensorium::ops {

/// Stores row r of k, v [rows, num_kv_heads * head_dim] at slot slots[r] = block * block_size + offset of the layer. Throws
/// kInvalidArgument when shapes do not agree or a slot lies outside the cache.
void write_kv(Backend& backend, KvCache& cache, int64_t layer, ConstMatrix k, ConstMatrix v, std::span<const int32_t> slots);

}  // namespace sensorium::ops
