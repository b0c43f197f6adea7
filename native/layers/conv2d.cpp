#include "layers/conv2d.h"

#include <algorithm>

#include "core/error.h"
#include "ops/parallel_rows.h"

namespace sensorium {
namespace {

constexpr int64_t kSide = 3, kStride = 2, kPadding = 1;

/// The channels of the places around output place (time, bin), in the order of the kernel: [frequency, time, channels].
void gather_window(const PlaneSize& size, ConstMatrix x, int64_t time, int64_t bin, float* window) {
  for (int64_t f = 0; f < kSide; ++f) {
    for (int64_t t = 0; t < kSide; ++t, window += x.cols) {
      const int64_t from_time = time * kStride + t - kPadding, from_bin = bin * kStride + f - kPadding;
      const bool is_inside = from_time >= 0 && from_time < size.times && from_bin >= 0 && from_bin < size.bins;
      if (is_inside) {
        std::copy_n(x.row(from_time * size.bins + from_bin), x.cols, window);
      } else {
        std::fill_n(window, x.cols, 0.0F);
      }
    }
  }
}

}  // namespace

Conv2d Conv2d::load(WeightLoader& loader, std::string_view name, int64_t out_channels, int64_t in_channels) {
  return {Linear(loader.channels_last_kernel(name, {out_channels, in_channels, kSide, kSide}, in_channels, true), out_channels),
          in_channels};
}

void Conv2d::forward(Backend& backend, Arena& arena, const PlaneSize& size, ConstMatrix x, Matrix y,
                     Activation activation) const {
  const PlaneSize output = output_size(size);
  if (x.cols != in_channels_ || x.rows != size.times * size.bins || y.rows != output.times * output.bins) {
    throw Error(ErrorCode::kInvalidArgument, "convolution input and output do not have the places of their planes");
  }
  Arena::Scope scope(arena);
  const Matrix windows = arena.matrix(y.rows, kSide * kSide * in_channels_);
  ops::for_each_row(backend, windows.rows, windows.cols,
                    [&](int64_t r) { gather_window(size, x, r / output.bins, r % output.bins, windows.row(r)); });
  kernel_.forward(backend, windows, y, {activation, {}});
}

}  // namespace sensorium
