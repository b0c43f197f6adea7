#pragma once

#include <cstdint>
#include <span>

#include "backend/backend.h"

namespace sensorium::ops {

// Each throws kInvalidArgument when shapes do not agree or an index is out of range.

/// Takes groups of `group_size` rows: y[i * group_size + j] = x[indices[i] * group_size + j]; y has
/// indices.size() * group_size rows.
void gather_rows(Backend& backend, ConstMatrix x, std::span<const int32_t> indices, int64_t group_size, Matrix y);

/// The reverse: y[indices[i] * group_size + j] = x[i * group_size + j]; x has indices.size() * group_size rows. Indices must
/// differ from each other; rows of y that none names are left alone.
void scatter_rows(Backend& backend, ConstMatrix x, std::span<const int32_t> indices, int64_t group_size, Matrix y);

/// y[indices[i]] += scales[i] * x[i]; x has indices.size() rows. Indices must differ from each other.
void scatter_add_rows(Backend& backend, ConstMatrix x, std::span<const int32_t> indices, std::span<const float> scales,
                      Matrix y);

}  // namespace sensorium::ops
