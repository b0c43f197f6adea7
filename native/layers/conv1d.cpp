#include "layers/conv1d.h"

#include "core/error.h"

namespace sensorium {

Conv1d Conv1d::load(WeightLoader& loader, std::string_view name, const Size& size) {
  return {Linear(loader.time_kernel(name, size.out_channels, size.in_channels, size.width), size.out_channels), size};
}

void Conv1d::forward(Backend& backend, ConstMatrix x, Matrix y, Activation activation) const {
  const bool is_dense = x.cols == size_.in_channels && x.row_stride == x.cols;
  if (!is_dense || y.rows < 1 || (y.rows - 1) * size_.stride + size_.width > x.rows) {
    throw Error(ErrorCode::kInvalidArgument, "convolution input does not cover its output");
  }
  const ConstMatrix windows(x.data, y.rows, size_.width * size_.in_channels, size_.stride * size_.in_channels);
  kernel_.forward(backend, windows, y, {activation, {}});
}

}  // namespace sensorium
