#pragma once

#include <cstdint>
#include <optional>
#include <vector>

namespace sensorium {

/// Sizes of a vision tower's patch grid.
struct PatchGrid {
  int32_t num_frames = 0;  ///< temporal patches
  int32_t height = 0;      ///< in patches, a multiple of merge_size
  int32_t width = 0;
  int32_t merge_size = 2;
};

/// Where each patch of some frames lies and which patches attend to each other. Patches come in merge-block order: all
/// merge_size² patches of a merged cell stand together; with windows the cells are reordered.
struct FramePlan {
  std::vector<float> rows, columns;    ///< place of each patch in its frame, in the plan's order
  std::vector<int32_t> frame_bounds;   ///< cu_seqlens of whole frames, in patches
  std::vector<int32_t> window_bounds;  ///< cu_seqlens of windows; empty without windows
  std::vector<int32_t> cell_order;     ///< place i holds merged cell cell_order[i]; empty: unchanged
};

/// `window_cells`: merged cells along a window's side; absent: no windows.
FramePlan plan_frames(const PatchGrid& grid, std::optional<int32_t> window_cells);

}  // namespace sensorium
