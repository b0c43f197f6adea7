#include "core/arena.h"

#include <algorithm>
#include <string>

#include "core/error.h"

namespace sensorium {
namespace {

constexpr size_t kMinChunkBytes = size_t{8} << 20;
constexpr size_t kAlignmentBytes = 64;

}  // namespace

void* Arena::bytes(size_t size_bytes) {
  if (size_bytes > SIZE_MAX / 2) {
    throw Error(ErrorCode::kOutOfMemory, "cannot allocate " + std::to_string(size_bytes) + " bytes of activations");
  }
  const size_t rounded = std::max(size_bytes + kAlignmentBytes - 1, kAlignmentBytes) / kAlignmentBytes * kAlignmentBytes;
  const bool fits = chunk_ < chunks_.size() && rounded <= chunks_[chunk_].size_bytes() - used_bytes_;
  if (!fits) {
    // A chunk with nothing taken may be replaced by a larger one; else the next chunk is used.
    const size_t target = used_bytes_ == 0 ? chunk_ : chunk_ + 1;
    if (target >= chunks_.size()) {
      chunks_.emplace_back(std::max(rounded, kMinChunkBytes), PageSize::kHuge);
    } else if (chunks_[target].size_bytes() < rounded) {
      chunks_[target] = Buffer();  // freed first, so that both are never held at once
      chunks_[target] = Buffer(rounded, PageSize::kHuge);
    }
    chunk_ = target;
    used_bytes_ = 0;
  }
  auto* memory = static_cast<std::byte*>(chunks_[chunk_].data()) + used_bytes_;
  used_bytes_ += rounded;
  return memory;
}

Matrix Arena::matrix(int64_t rows, int64_t cols) {
  const auto count = static_cast<size_t>(num_elements({rows, cols}));
  if (count > SIZE_MAX / 2 / sizeof(float)) throw Error(ErrorCode::kOutOfMemory, "activations are too large to allocate");
  return {static_cast<float*>(bytes(count * sizeof(float))), rows, cols};
}

void Arena::release() {
  chunks_.clear();
  chunk_ = 0;
  used_bytes_ = 0;
}

}  // namespace sensorium
