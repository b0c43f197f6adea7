#include "core/tensor.h"

#include <cstdlib>
#include <new>
#include <string>

#include "core/error.h"

#if defined(__linux__)
#include <sys/mman.h>
#endif

namespace sensorium {
namespace {

constexpr size_t kAlignmentBytes = 64;
constexpr size_t kHugePageBytes = size_t{2} << 20;
constexpr size_t kHugePageThresholdBytes = size_t{4} << 20;
constexpr size_t kMaxBufferBytes = size_t{1} << 40;  // more is a mistake: the system might promise it and not keep it

size_t round_up(size_t value, size_t multiple) { return (value + multiple - 1) / multiple * multiple; }

void* allocate(size_t size_bytes, PageSize page_size) {
  const bool is_huge = page_size == PageSize::kHuge && size_bytes >= kHugePageThresholdBytes;
  const size_t alignment = is_huge ? kHugePageBytes : kAlignmentBytes;
  if (size_bytes > kMaxBufferBytes - alignment) return nullptr;
  void* memory = nullptr;
  if (posix_memalign(&memory, alignment, round_up(size_bytes, kAlignmentBytes)) != 0) return nullptr;
#if defined(__linux__)
  // Advice only: a kernel without transparent huge pages refuses it and nothing is lost.
  if (is_huge) (void)madvise(memory, size_bytes / kHugePageBytes * kHugePageBytes, MADV_HUGEPAGE);
#endif
  return memory;
}

size_t tensor_bytes(const Shape& shape) {
  const auto count = static_cast<size_t>(num_elements(shape));
  if (count > SIZE_MAX / sizeof(float)) {
    throw Error(ErrorCode::kInvalidArgument, "a tensor of shape " + shape_to_string(shape) + " is too large");
  }
  return count * sizeof(float);
}

}  // namespace

int64_t num_elements(const Shape& shape) {
  int64_t product = 1;
  for (const int64_t dimension : shape) {
    if (dimension < 0) throw Error(ErrorCode::kInvalidArgument, "negative dimension in shape " + shape_to_string(shape));
    if (__builtin_mul_overflow(product, dimension, &product)) {
      throw Error(ErrorCode::kInvalidArgument, "shape " + shape_to_string(shape) + " has more elements than can be counted");
    }
  }
  return product;
}

std::string shape_to_string(const Shape& shape) {
  std::string text = "[";
  for (const int64_t dimension : shape) {
    if (text.size() > 1) text += ", ";
    text += std::to_string(dimension);
  }
  return text + "]";
}

Buffer::Buffer(size_t size_bytes, PageSize page_size) : size_bytes_(size_bytes) {
  if (size_bytes == 0) return;
  data_.reset(allocate(size_bytes, page_size));
  if (data_ == nullptr) throw Error(ErrorCode::kOutOfMemory, "cannot allocate " + std::to_string(size_bytes) + " bytes");
}

void Buffer::Free::operator()(void* memory) const noexcept { std::free(memory); }

Tensor::Tensor(Shape shape) : shape_(std::move(shape)), buffer_(tensor_bytes(shape_)) {}

Tensor Tensor::from(const TensorView& view) {
  Tensor tensor(view.shape);
  copy_to_float(view.data, view.dtype, tensor.size(), tensor.data());
  return tensor;
}

}  // namespace sensorium
