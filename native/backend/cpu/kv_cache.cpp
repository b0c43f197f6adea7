#include "backend/cpu/kv_cache.h"

#include <algorithm>
#include <cstring>
#include <limits>
#include <string>

#include "core/error.h"

namespace sensorium {
namespace {

void convert(float value, float& to) { to = value; }
void convert(float value, BFloat16& to) { to = to_bfloat16(value); }

/// Keys of one block, [head_dim][block_size], into columns of a matrix.
template <typename T>
void read_block(const T* keys, int64_t block_size, Matrix columns) {
  for (int64_t d = 0; d < columns.rows; ++d) {
    for (int64_t c = 0; c < columns.cols; ++c) columns.row(d)[c] = to_float(keys[d * block_size + c]);
  }
}

template <typename T>
void write_head(T* head, int64_t head_dim, int64_t block_size, int64_t offset, const float* k, const float* v) {
  for (int64_t d = 0; d < head_dim; ++d) convert(k[d], head[d * block_size + offset]);
  T* values = head + head_dim * block_size + offset * head_dim;
  for (int64_t d = 0; d < head_dim; ++d) convert(v[d], values[d]);
}

}  // namespace

CpuKvCache::CpuKvCache(const KvCacheShape& shape, DType dtype) : shape_(shape), dtype_(dtype) {
  const Shape dims = {shape.num_layers, shape.num_blocks, shape.block_size, shape.num_kv_heads, shape.head_dim, 8};
  for (const int64_t dim : dims) {
    if (dim < 1) throw Error(ErrorCode::kInvalidArgument, "KV cache of shape " + shape_to_string(dims));
  }
  if (shape.num_blocks > std::numeric_limits<int32_t>::max() / shape.block_size) {
    throw Error(ErrorCode::kInvalidArgument, "KV cache: " + std::to_string(shape.num_blocks) + " blocks are too many");
  }
  num_elements(dims);  // throws where the size in bytes overflows
  head_size_ = 2 * shape.head_dim * shape.block_size;
  block_elements_ = head_size_ * shape.num_kv_heads;
  memory_ =
      Buffer(static_cast<size_t>(shape.num_layers * shape.num_blocks * block_elements_) * dtype_size(dtype), PageSize::kHuge);
}

void CpuKvCache::clear_blocks(int64_t first, int64_t count) {
  const size_t block_bytes = static_cast<size_t>(block_elements_) * dtype_size(dtype_);
  for (int64_t layer = 0; layer < shape_.num_layers; ++layer) {
    const auto begin = static_cast<size_t>(layer * shape_.num_blocks + first) * block_bytes;
    std::memset(static_cast<std::byte*>(memory_.data()) + begin, 0, static_cast<size_t>(count) * block_bytes);
  }
}

void CpuKvCache::copy_block(int32_t from, int32_t to) {
  const size_t bytes = static_cast<size_t>(block_elements_) * dtype_size(dtype_);
  for (int64_t layer = 0; layer < shape_.num_layers; ++layer) {
    char* blocks = static_cast<char*>(memory_.data()) + static_cast<size_t>(layer * shape_.num_blocks) * bytes;
    std::memcpy(blocks + static_cast<size_t>(to) * bytes, blocks + static_cast<size_t>(from) * bytes, bytes);
  }
}

void CpuKvCache::write_row(int64_t layer, int32_t slot, const float* k, const float* v) {
  const int64_t block = layer * shape_.num_blocks + slot / shape_.block_size;
  const int64_t offset = slot % shape_.block_size;
  for (int64_t head = 0; head < shape_.num_kv_heads; ++head) {
    const int64_t begin = block * block_elements_ + head * head_size_;
    const int64_t column = head * shape_.head_dim;
    if (dtype_ == DType::kBFloat16) {
      write_head(static_cast<BFloat16*>(memory_.data()) + begin, shape_.head_dim, shape_.block_size, offset, k + column,
                 v + column);
    } else {
      write_head(static_cast<float*>(memory_.data()) + begin, shape_.head_dim, shape_.block_size, offset, k + column,
                 v + column);
    }
  }
}

void CpuKvCache::read_keys(int64_t layer, int64_t kv_head, std::span<const int32_t> block_table, Matrix keys) const {
  const int64_t first = layer * shape_.num_blocks * block_elements_ + kv_head * head_size_;
  for (int64_t c = 0; c < keys.cols; c += shape_.block_size) {
    const int64_t begin = first + block_table[static_cast<size_t>(c / shape_.block_size)] * block_elements_;
    const Matrix columns = keys.columns(c, std::min(shape_.block_size, keys.cols - c));
    if (dtype_ == DType::kBFloat16) {
      read_block(static_cast<const BFloat16*>(memory_.data()) + begin, shape_.block_size, columns);
    } else {
      read_block(static_cast<const float*>(memory_.data()) + begin, shape_.block_size, columns);
    }
  }
}

PagedKeys CpuKvCache::keys(int64_t layer, int64_t kv_head, const int32_t* block_table) const {
  PagedKeys keys;
  const int64_t begin = layer * shape_.num_blocks * block_elements_ + kv_head * head_size_;
  keys.blocks = static_cast<const char*>(memory_.data()) + static_cast<size_t>(begin) * dtype_size(dtype_);
  keys.block_stride = block_elements_;
  keys.value_offset = shape_.head_dim * shape_.block_size;
  keys.block_size = shape_.block_size;
  keys.block_table = block_table;
  keys.dtype = dtype_;
  return keys;
}

}  // namespace sensorium
