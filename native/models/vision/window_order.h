#pragma once

#include <cstdint>
#include <vector>

namespace sensorium {

/// Order of merged cells in which every attention window is contiguous.
struct WindowOrder {
  std::vector<int32_t> cells;       ///< place i holds the cell of raster index cells[i]
  std::vector<int32_t> cu_seqlens;  ///< bounds of the windows, in cells: [num_windows + 1]
};

/// Windows of `window_cells` x `window_cells` merged cells in raster order inside each of `grid_t` frames of
/// `cells_h` x `cells_w`; windows at the right and lower edge are cut. Source: Qwen2.5-VL.
WindowOrder window_order(int32_t grid_t, int32_t cells_h, int32_t cells_w, int32_t window_cells);

}  // namespace sensorium
