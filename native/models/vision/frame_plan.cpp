#include "models/vision/frame_plan.h"

#include "models/vision/window_order.h"

namespace sensorium {
namespace {

void push_cell(const PatchGrid& grid, int32_t cell, FramePlan& plan) {
  const int32_t cells_w = grid.width / grid.merge_size;
  const int32_t in_frame = cell % (grid.height / grid.merge_size * cells_w);
  const int32_t top = in_frame / cells_w * grid.merge_size, left = in_frame % cells_w * grid.merge_size;
  for (int32_t h = top; h < top + grid.merge_size; ++h) {
    for (int32_t w = left; w < left + grid.merge_size; ++w) {
      plan.rows.push_back(static_cast<float>(h));
      plan.columns.push_back(static_cast<float>(w));
    }
  }
}

}  // namespace

FramePlan plan_frames(const PatchGrid& grid, std::optional<int32_t> window_cells) {
  FramePlan plan;
  const int32_t cells_h = grid.height / grid.merge_size, cells_w = grid.width / grid.merge_size;
  for (int32_t t = 0; t <= grid.num_frames; ++t) plan.frame_bounds.push_back(t * grid.height * grid.width);
  if (!window_cells) {
    for (int32_t cell = 0; cell < grid.num_frames * cells_h * cells_w; ++cell) push_cell(grid, cell, plan);
    return plan;
  }
  WindowOrder order = window_order(grid.num_frames, cells_h, cells_w, *window_cells);
  for (const int32_t cell : order.cells) push_cell(grid, cell, plan);
  for (const int32_t bound : order.cu_seqlens) plan.window_bounds.push_back(bound * grid.merge_size * grid.merge_size);
  plan.cell_order = std::move(order.cells);
  return plan;
}

}  // namespace sensorium
