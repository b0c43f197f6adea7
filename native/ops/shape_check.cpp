#include "ops/shape_check.h"

#include <string>

#include "core/error.h"

namespace sensorium::ops {
namespace {

[[noreturn]] void fail(std::string_view op, const std::string& what) {
  throw Error(ErrorCode::kInvalidArgument, std::string(op) + ": " + what);
}

[[noreturn]] void fail_shape(std::string_view op, std::string_view operand, const Shape& found, const Shape& expected) {
  fail(op, std::string(operand) + " is " + shape_to_string(found) + ", expected " + shape_to_string(expected));
}

}  // namespace

void check_equal(std::string_view op, std::string_view what, int64_t found, int64_t expected) {
  if (found != expected) {
    fail(op, std::string(what) + " is " + std::to_string(found) + ", expected " + std::to_string(expected));
  }
}

void check_shape(std::string_view op, std::string_view operand, ConstMatrix found, int64_t expected_rows,
                 int64_t expected_cols) {
  if (found.rows != expected_rows || found.cols != expected_cols) {
    fail_shape(op, operand, {found.rows, found.cols}, {expected_rows, expected_cols});
  }
}

void check_shape(std::string_view op, std::string_view operand, const Tensor& found, const Shape& expected) {
  if (found.shape() != expected) fail_shape(op, operand, found.shape(), expected);
}

void check_index(std::string_view op, std::string_view what, int64_t value, int64_t low, int64_t high) {
  if (value < low || value >= high) {
    fail(op, std::string(what) + " is " + std::to_string(value) + ", outside [" + std::to_string(low) + ", " +
                 std::to_string(high) + ")");
  }
}

void check(bool condition, std::string_view op, std::string_view message) {
  if (!condition) fail(op, std::string(message));
}

}  // namespace sensorium::ops
