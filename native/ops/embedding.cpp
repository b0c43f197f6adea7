#include "ops/embedding.h"

#include "ops/shape_check.h"

namespace sensorium::ops {

void embedding(Backend& backend, const PackedMatrix& table, std::span<const int32_t> token_ids, Matrix y) {
  check_shape("embedding", "y", y, static_cast<int64_t>(token_ids.size()), table.in_features());
  for (const int32_t id : token_ids) check_index("embedding", "token id", id, 0, table.out_features());
  backend.embedding(table, token_ids, y);
}

}  // namespace sensorium::ops
