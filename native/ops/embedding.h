#pragma once

#include <cstdint>
#include <span>

#include "backend/backend.h"

namespace sensorium::ops {

/// y[r] = row token_ids[r] of the table [vocab_size, hidden]; y [token_ids.size(), hidden]. Throws kInvalidArgument when an id
/// is out of range or shapes do not agree.
void embedding(Backend& backend, const PackedMatrix& table, std::span<const int32_t> token_ids, Matrix y);

}  // namespace sensorium::ops
