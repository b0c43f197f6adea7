#include "core/dtype.h"

#include <bit>
#include <cstring>
#include <string>

#include "core/error.h"

namespace sensorium {
namespace {

template <typename T>
T load(const std::byte* source) {
  T value;
  std::memcpy(&value, source, sizeof(T));
  return value;
}

template <typename T>
void widen(const std::byte* source, int64_t count, float* target) {
  for (int64_t i = 0; i < count; ++i) target[i] = to_float(load<T>(source + static_cast<size_t>(i) * sizeof(T)));
}

void narrow_doubles(const std::byte* source, int64_t count, float* target) {
  for (int64_t i = 0; i < count; ++i)
    target[i] = static_cast<float>(load<double>(source + static_cast<size_t>(i) * sizeof(double)));
}

}  // namespace

size_t dtype_size(DType dtype) {
  switch (dtype) {
    case DType::kFloat64:
    case DType::kInt64:
      return 8;
    case DType::kFloat32:
    case DType::kInt32:
      return 4;
    case DType::kBFloat16:
    case DType::kFloat16:
    case DType::kInt16:
      return 2;
    case DType::kInt8:
    case DType::kUInt8:
    case DType::kBool:
      return 1;
  }
  throw Error(ErrorCode::kInternal, "unknown dtype");
}

std::string_view dtype_name(DType dtype) {
  switch (dtype) {
    case DType::kFloat64:
      return "float64";
    case DType::kFloat32:
      return "float32";
    case DType::kBFloat16:
      return "bfloat16";
    case DType::kFloat16:
      return "float16";
    case DType::kInt64:
      return "int64";
    case DType::kInt32:
      return "int32";
    case DType::kInt16:
      return "int16";
    case DType::kInt8:
      return "int8";
    case DType::kUInt8:
      return "uint8";
    case DType::kBool:
      return "bool";
  }
  throw Error(ErrorCode::kInternal, "unknown dtype");
}

float to_float(Float16 value) {
  const uint32_t sign = static_cast<uint32_t>(value.bits & 0x8000U) << 16;
  const uint32_t exponent = (value.bits >> 10) & 0x1fU;
  const uint32_t mantissa = value.bits & 0x3ffU;
  if (exponent == 0) {  // zero and subnormals: mantissa * 2^-24
    const float magnitude = static_cast<float>(mantissa) * 0x1p-24F;
    return std::bit_cast<float>(std::bit_cast<uint32_t>(magnitude) | sign);
  }
  const uint32_t wide_exponent = exponent == 0x1fU ? 0xffU : exponent + (127 - 15);
  return std::bit_cast<float>(sign | (wide_exponent << 23) | (mantissa << 13));
}

void copy_to_float(const void* source, DType dtype, int64_t count, float* target) {
  const auto* bytes = static_cast<const std::byte*>(source);
  switch (dtype) {
    case DType::kFloat32:
      if (count > 0) std::memcpy(target, bytes, static_cast<size_t>(count) * sizeof(float));
      return;
    case DType::kBFloat16:
      return widen<BFloat16>(bytes, count, target);
    case DType::kFloat16:
      return widen<Float16>(bytes, count, target);
    case DType::kFloat64:
      return narrow_doubles(bytes, count, target);
    default:
      throw Error(ErrorCode::kInvalidArgument, "cannot read " + std::string(dtype_name(dtype)) + " as floating point");
  }
}

}  // namespace sensorium
