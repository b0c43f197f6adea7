#pragma once

#include <cstdint>
#include <string_view>

#include "core/tensor.h"

// How ops state what they expect of their operands. `op` and `what` name the operation and the operand's part in messages.
namespace sensorium::ops {

/// Throws kInvalidArgument "op: what is found, expected expected".
void check_equal(std::string_view op, std::string_view what, int64_t found, int64_t expected);

/// The same for a whole matrix.
void check_shape(std::string_view op, std::string_view operand, ConstMatrix found, int64_t expected_rows,
                 int64_t expected_cols);

/// The same for a parameter.
void check_shape(std::string_view op, std::string_view operand, const Tensor& found, const Shape& expected);

/// Throws kInvalidArgument unless low <= value < high.
void check_index(std::string_view op, std::string_view what, int64_t value, int64_t low, int64_t high);

/// Throws kInvalidArgument with this message unless `condition`.
void check(bool condition, std::string_view op, std::string_view message);

}  // namespace sensorium::ops
