#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace sensorium {

enum class DType : uint8_t { kFloat32, kBFloat16, kFloat16, kInt64, kInt32, kInt16, kInt8, kUInt8, kBool, kFloat64 };

/// Bytes of one element.
size_t dtype_size(DType dtype);
/// Lower-case name: "float32", "bfloat16", ...
std::string_view dtype_name(DType dtype);

/// A bfloat16 value: the upper half of a float32.
struct BFloat16 {
  uint16_t bits = 0;
};

/// IEEE half.
struct Float16 {
  uint16_t bits = 0;
};

inline float to_float(float value) { return value; }
inline float to_float(BFloat16 value) { return std::bit_cast<float>(static_cast<uint32_t>(value.bits) << 16); }
float to_float(Float16 value);

/// Converts `count` elements of a floating-point dtype (float32, bfloat16, float16, float64); `source` need not be aligned.
/// Throws kInvalidArgument on any other dtype.
void copy_to_float(const void* source, DType dtype, int64_t count, float* target);

/// Rounds to nearest even; NaN stays a quiet NaN.
inline BFloat16 to_bfloat16(float value) {
  const auto bits = std::bit_cast<uint32_t>(value);
  if ((bits & 0x7fffffffU) > 0x7f800000U) return BFloat16{static_cast<uint16_t>((bits >> 16) | 0x40U)};
  return BFloat16{static_cast<uint16_t>((bits + 0x7fffU + ((bits >> 16) & 1U)) >> 16)};
}

}  // namespace sensorium
