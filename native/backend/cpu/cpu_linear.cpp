#include <algorithm>

#include "backend/cpu/cpu_backend.h"
#include "backend/cpu/packed_matrix.h"

namespace sensorium {
namespace {

/// Packed rows of a task should stay in the second-level cache beside the panels.
constexpr int64_t kRowBlockFloats = 512 * 1024 / static_cast<int64_t>(sizeof(float));
/// Multiplications below which waking threads costs more than it gives.
constexpr int64_t kMinParallelWork = 64 * 1024;
constexpr int64_t kTasksPerThread = 4;
/// Units of a task come in this many, so that thin products keep several panels in flight.
constexpr int64_t kUnitGroup = 4;

int64_t ceil_div(int64_t a, int64_t b) { return (a + b - 1) / b; }
int64_t round_up(int64_t a, int64_t multiple) { return ceil_div(a, multiple) * multiple; }

/// How y is cut into tasks of row_block x unit_block.
struct LinearPlan {
  int64_t row_block;
  int64_t num_row_blocks;
  int64_t unit_block;
  int64_t num_unit_blocks;

  LinearPlan(const LinearCall& call, int64_t num_units, int64_t tile_rows, int64_t num_threads) {
    const int64_t max_rows = std::max(kRowBlockFloats / call.in_features / tile_rows, int64_t{2}) * tile_rows;
    row_block = round_up(ceil_div(call.x.rows, ceil_div(call.x.rows, max_rows)), tile_rows);
    num_row_blocks = ceil_div(call.x.rows, row_block);
    const bool is_parallel = call.x.rows * call.num_columns * call.in_features >= kMinParallelWork;
    const int64_t num_tasks = is_parallel && num_threads > 1 ? num_threads * kTasksPerThread : 1;
    unit_block = std::min(num_units, round_up(ceil_div(num_units, ceil_div(num_tasks, num_row_blocks)), kUnitGroup));
    num_unit_blocks = ceil_div(num_units, unit_block);
  }
};

/// Row tiles of a task on tiles: their block of packed rows and their sums fill the second-level cache.
constexpr int64_t kTileRowBlock = 512;
/// Panels of a task on tiles, where the rows are many.
constexpr int64_t kTilePanelBlock = 8;

}  // namespace

void CpuBackend::linear(const PackedMatrix& weight, ConstMatrix x, Matrix y, const Epilogue& epilogue) {
  if (x.rows == 0) return;
  const auto& matrix = static_cast<const PanelMatrix&>(weight);
  LinearCall call;
  call.panels = matrix.panels();
  call.dtype = matrix.dtype();
  call.bias = matrix.bias();
  call.is_gated = matrix.is_gated();
  call.in_features = matrix.in_features();
  call.num_columns = matrix.num_columns();
  call.x = x;
  call.y = y;
  call.epilogue = epilogue;
  if (uses_tiles()) return linear_on_tiles(call, matrix.num_units());
  const LinearPlan plan(call, matrix.num_units(), table_.tile_rows, pool_.num_threads());
  reserve_scratch(table_.linear_scratch(call, std::min(plan.row_block, x.rows)));
  for_items(plan.num_row_blocks * plan.num_unit_blocks, [&](int thread_index, int64_t item) {
    const int64_t row = item / plan.num_unit_blocks * plan.row_block;
    const int64_t unit = item % plan.num_unit_blocks * plan.unit_block;
    table_.linear(call, {row, std::min(row + plan.row_block, x.rows)},
                  {unit, std::min(unit + plan.unit_block, matrix.num_units())}, scratch(thread_index));
  });
}

void CpuBackend::linear_on_tiles(const LinearCall& call, int64_t num_units) {
  const int64_t num_rows = call.x.rows;
  const int64_t row_tiles = ceil_div(num_rows, kTileSize);
  const int64_t row_floats = round_up(call.in_features, kTileDepth) / 2;
  const auto packed_bytes = static_cast<size_t>(row_tiles * kTileSize * row_floats) * sizeof(float);
  if (packed_rows_.size_bytes() < packed_bytes) packed_rows_ = Buffer(packed_bytes, PageSize::kHuge);
  auto* packed = static_cast<uint16_t*>(packed_rows_.data());
  pool_.parallel_for(row_tiles, 4, [&](int64_t begin, int64_t end) { table_.tiles->pack_rows(call.x, {begin, end}, packed); });

  const int64_t num_row_blocks = ceil_div(num_rows, kTileRowBlock);
  const int64_t row_block = round_up(ceil_div(num_rows, num_row_blocks), 2 * kTileSize);
  const bool is_parallel = num_rows * call.num_columns * call.in_features >= kMinParallelWork;
  const int64_t num_tasks = is_parallel ? pool_.num_threads() * kTasksPerThread : 1;
  const int64_t max_units = num_rows <= 2 * kTileSize ? num_units : kTilePanelBlock / (call.is_gated ? 2 : 1);
  const int64_t unit_block = std::min(max_units, ceil_div(num_units, ceil_div(num_tasks, num_row_blocks)));
  const int64_t num_unit_blocks = ceil_div(num_units, unit_block);
  reserve_scratch(table_.tiles->linear_scratch(call, std::min(row_block, num_rows), unit_block));
  for_items(num_row_blocks * num_unit_blocks, [&](int thread_index, int64_t item) {
    const int64_t row = item / num_unit_blocks * row_block;
    const int64_t unit = item % num_unit_blocks * unit_block;
    table_.tiles->linear(call, packed, {row, std::min(row + row_block, num_rows)},
                         {unit, std::min(unit + unit_block, num_units)}, scratch(thread_index));
  });
}

}  // namespace sensorium
