#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "core/dtype.h"

namespace sensorium {

using Shape = std::vector<int64_t>;

/// Product of the dimensions; throws kInvalidArgument on a negative dimension or overflow of int64.
int64_t num_elements(const Shape& shape);
/// "[2, 3, 4]".
std::string shape_to_string(const Shape& shape);

/// What a buffer asks the system for. Huge pages cost time to get and save time on every use: they are for memory that lives
/// long (weights, caches, arenas), and are asked for from 4 MiB on.
enum class PageSize { kNormal, kHuge };

/// 64-byte aligned, move-only memory.
class Buffer {
 public:
  Buffer() = default;
  /// Throws kOutOfMemory above 1 TiB or when the system refuses. Contents are not initialised.
  explicit Buffer(size_t size_bytes, PageSize page_size = PageSize::kNormal);
  void* data() { return data_.get(); }
  const void* data() const { return data_.get(); }
  size_t size_bytes() const { return size_bytes_; }

 private:
  struct Free {
    void operator()(void* memory) const noexcept;
  };
  std::unique_ptr<void, Free> data_;
  size_t size_bytes_ = 0;
};

/// A read-only view of dense row-major elements that somebody else keeps alive (a mapped file, a Tensor).
struct TensorView {
  const void* data = nullptr;
  DType dtype = DType::kFloat32;
  Shape shape;
  int64_t size() const { return num_elements(shape); }
};

/// An owned dense row-major float32 tensor: small parameters (norms, biases) and encoder results.
class Tensor {
 public:
  Tensor() = default;
  explicit Tensor(Shape shape);  ///< not initialised
  /// Copies and converts any float dtype to float32.
  static Tensor from(const TensorView& view);

  float* data() { return static_cast<float*>(buffer_.data()); }
  const float* data() const { return static_cast<const float*>(buffer_.data()); }
  const Shape& shape() const { return shape_; }
  int64_t size() const { return empty() ? 0 : num_elements(shape_); }
  bool empty() const { return buffer_.data() == nullptr; }

 private:
  Shape shape_;
  Buffer buffer_;
};

/// A matrix of float32 with a row stride: [rows, cols], row r begins at data + r * row_stride.
/// Rows may overlap (row_stride < cols): a convolution over time reads its windows this way.
template <typename T>
struct MatrixView {
  T* data = nullptr;
  int64_t rows = 0;
  int64_t cols = 0;
  int64_t row_stride = 0;

  MatrixView() = default;
  MatrixView(T* data_, int64_t rows_, int64_t cols_) : data(data_), rows(rows_), cols(cols_), row_stride(cols_) {}
  MatrixView(T* data_, int64_t rows_, int64_t cols_, int64_t row_stride_)
      : data(data_), rows(rows_), cols(cols_), row_stride(row_stride_) {}
  /// A mutable view reads as a constant one.
  operator MatrixView<const T>() const { return {data, rows, cols, row_stride}; }  // NOLINT(google-explicit-constructor)
  T* row(int64_t r) const { return data + r * row_stride; }
  MatrixView columns(int64_t first, int64_t count) const { return {data + first, rows, count, row_stride}; }
  MatrixView row_range(int64_t first, int64_t count) const { return {row(first), count, cols, row_stride}; }
};

using Matrix = MatrixView<float>;
using ConstMatrix = MatrixView<const float>;

}  // namespace sensorium
