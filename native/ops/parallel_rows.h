#pragma once

#include <algorithm>
#include <cstdint>

#include "backend/backend.h"

namespace sensorium::ops {

/// Calls body(row) for each of `num_rows` rows of about `row_cost` elements on the backend's threads, in chunks worth a
/// dispatch. The body must not throw.
template <typename Body>
void for_each_row(Backend& backend, int64_t num_rows, int64_t row_cost, const Body& body) {
  constexpr int64_t kChunkElements = 16384;
  const int64_t grain = std::max<int64_t>(kChunkElements / std::max<int64_t>(row_cost, 1), 1);
  backend.thread_pool().parallel_for(num_rows, grain, [&](int64_t begin, int64_t end) {
    for (int64_t row = begin; row < end; ++row) body(row);
  });
}

}  // namespace sensorium::ops
