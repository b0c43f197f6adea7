#include "models/vision/window_order.h"

#include <algorithm>

namespace sensorium {

WindowOrder window_order(int32_t grid_t, int32_t cells_h, int32_t cells_w, int32_t window_cells) {
  WindowOrder order;
  order.cells.reserve(static_cast<size_t>(grid_t) * static_cast<size_t>(cells_h) * static_cast<size_t>(cells_w));
  order.cu_seqlens.push_back(0);
  for (int32_t t = 0; t < grid_t; ++t) {
    for (int32_t top = 0; top < cells_h; top += window_cells) {
      for (int32_t left = 0; left < cells_w; left += window_cells) {
        for (int32_t h = top; h < std::min(top + window_cells, cells_h); ++h) {
          for (int32_t w = left; w < std::min(left + window_cells, cells_w); ++w) {
            order.cells.push_back((t * cells_h + h) * cells_w + w);
          }
        }
        order.cu_seqlens.push_back(static_cast<int32_t>(order.cells.size()));
      }
    }
  }
  return order;
}

}  // namespace sensorium
