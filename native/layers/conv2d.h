#pragma once

#include "core/arena.h"
#include "layers/linear.h"

namespace sensorium {

/// Sizes of a plane whose rows are places, time first, each with its channels side by side.
struct PlaneSize {
  int64_t times = 0, bins = 0;
};

/// Convolution over a plane of time and frequency: 3 x 3, every second place, one place of zeros around.
class Conv2d {
 public:
  /// Reads `name`.weight [out, in, 3 (frequency), 3 (time)] and `name`.bias [out].
  static Conv2d load(WeightLoader& loader, std::string_view name, int64_t out_channels, int64_t in_channels);

  static PlaneSize output_size(const PlaneSize& input) { return {(input.times + 1) / 2, (input.bins + 1) / 2}; }
  /// x [times * bins, in_channels] dense, y [places of output_size(), out_channels].
  void forward(Backend& backend, Arena& arena, const PlaneSize& size, ConstMatrix x, Matrix y, Activation activation) const;

 private:
  Conv2d(Linear kernel, int64_t in_channels) : kernel_(std::move(kernel)), in_channels_(in_channels) {}

  Linear kernel_;
  int64_t in_channels_;
};

}  // namespace sensorium
