#pragma once

#include <span>

#include "backend/backend.h"
#include "layers/weight_loader.h"

namespace sensorium {

/// Learned positions of a square of patches, stretched over pictures of other sizes: bilinear, corners on corners.
class PositionGrid {
 public:
  /// Where some patches lie in a picture of height x width patches.
  struct Places {
    std::span<const float> rows, columns;
    int32_t height = 0, width = 0;
  };

  /// Reads `name`.weight [side * side, size].
  static PositionGrid load(WeightLoader& loader, std::string_view name, int64_t side, int64_t size);

  /// Adds to each row of hidden [places, size] the position of its patch.
  void add(Backend& backend, const Places& places, Matrix hidden) const;

 private:
  PositionGrid(Tensor table, int64_t side) : table_(std::move(table)), side_(side) {}

  Tensor table_;
  int64_t side_;
};

}  // namespace sensorium
