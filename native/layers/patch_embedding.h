#pragma once

#include <string_view>

#include "core/arena.h"
#include "core/media_input.h"
#include "layers/linear.h"

namespace sensorium {

/// Patches to hidden states: a convolution whose windows do not overlap.
class PatchEmbedding {
 public:
  /// Reads `name`.weight `shape` = [hidden, channels, ...] and, where `has_bias`, `name`.bias [hidden].
  static PatchEmbedding load(WeightLoader& loader, std::string_view name, const Shape& shape, bool has_bias);

  /// Numbers of one patch.
  int64_t patch_dim() const { return patch_dim_; }
  /// hidden: a row for each of the media's input rows from `first_row` on.
  void forward(Backend& backend, Arena& arena, const ProcessedMedia& media, int64_t first_row, Matrix hidden) const;

 private:
  PatchEmbedding(Linear kernel, int64_t patch_dim) : kernel_(std::move(kernel)), patch_dim_(patch_dim) {}

  Linear kernel_;
  int64_t patch_dim_;
};

}  // namespace sensorium
