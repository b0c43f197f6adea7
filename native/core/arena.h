#pragma once

#include <cstdint>
#include <vector>

#include "core/tensor.h"

namespace sensorium {

/// Bump memory for the activations of one forward pass. Chunks are kept for the next pass; take() is 64-byte aligned.
/// Not thread-safe: one arena belongs to one thread.
class Arena {
 public:
  /// A [rows, cols] float32 matrix, not initialised, alive until the enclosing Scope ends.
  Matrix matrix(int64_t rows, int64_t cols);
  /// `size_bytes` of memory, same lifetime.
  void* bytes(size_t size_bytes);
  /// Frees all chunks (idle engine, after a large encoder item). No Scope may be open.
  void release();

  /// Gives back on destruction what was taken since construction. Scopes nest.
  class Scope {
   public:
    explicit Scope(Arena& arena) : arena_(arena), chunk_(arena.chunk_), used_bytes_(arena.used_bytes_) {}
    ~Scope() {
      arena_.chunk_ = chunk_;
      arena_.used_bytes_ = used_bytes_;
    }
    Scope(const Scope&) = delete;
    Scope& operator=(const Scope&) = delete;

   private:
    Arena& arena_;
    size_t chunk_;
    size_t used_bytes_;
  };

 private:
  std::vector<Buffer> chunks_;
  size_t chunk_ = 0;       ///< index of the chunk being filled
  size_t used_bytes_ = 0;  ///< bytes taken of that chunk
};

}  // namespace sensorium
