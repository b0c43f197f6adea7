#include "backend/cpu/packed_matrix.h"

#include <algorithm>
#include <atomic>
#include <vector>

#include "backend/cpu/table.h"
#include "backend/cpu/weight_slices.h"
#include "core/error.h"

namespace sensorium {

PanelMatrix::PanelMatrix(std::span<const WeightSlice> slices, bool is_gated, PanelLayout layout, int64_t panel_width,
                         ThreadPool& pool)
    : panel_width_(panel_width), is_gated_(is_gated), layout_(layout) {
  const StackedShape shape = check_slices(slices);
  if (is_gated && (slices.size() != 2 || slices[0].weight.shape[0] != slices[1].weight.shape[0])) {
    throw Error(ErrorCode::kInvalidArgument, "pack_gated: gate and up differ in shape");
  }
  out_features_ = shape.out_features;
  in_features_ = shape.in_features;
  num_units_ = (num_columns() + panel_width - 1) / panel_width;
  const int64_t num_panels = is_gated ? 2 * num_units_ : num_units_;
  const int64_t depth_multiple = layout == PanelLayout::kBFloat16Tiles ? kTileDepth : 1;
  panel_size_ = (in_features_ + depth_multiple - 1) / depth_multiple * depth_multiple * panel_width;
  panels_ = Buffer(static_cast<size_t>(num_panels * panel_size_) * dtype_size(dtype()), PageSize::kHuge);
  if (shape.has_bias) bias_ = Buffer(static_cast<size_t>(num_panels * panel_width) * sizeof(float));
  const auto row_size = static_cast<size_t>(in_features_);
  std::vector<float> rows(static_cast<size_t>(pool.num_threads()) * row_size);
  std::atomic<int64_t> next{0};
  pool.run([&](int thread_index) {
    const std::span<float> row = std::span(rows).subspan(static_cast<size_t>(thread_index) * row_size, row_size);
    for (int64_t panel = next++; panel < num_panels; panel = next++) pack_panel(panel, slices, row);
  });
}

int64_t PanelMatrix::bfloat16_index(int64_t k, int64_t column) const {
  if (layout_ == PanelLayout::kBFloat16Halves) {
    const int64_t half = panel_width_ / 2;
    return k * panel_width_ + column % half * 2 + column / half;
  }
  const int64_t tile = k / kTileDepth * 2 + column / kTileSize;
  return tile * kTileElements + k % kTileDepth / 2 * kTileDepth + column % kTileSize * 2 + k % 2;
}

void PanelMatrix::pack_panel(int64_t panel, std::span<const WeightSlice> slices, std::span<float> row) {
  const int64_t first = (is_gated_ ? panel / 2 : panel) * panel_width_;
  const int64_t row_offset = is_gated_ && panel % 2 == 1 ? num_columns() : 0;
  for (int64_t c = 0; c < panel_width_; ++c) {
    const bool is_padding = first + c >= num_columns();
    if (is_padding) {
      std::fill(row.begin(), row.end(), 0.0F);
    } else {
      read_row(slices, row_offset + first + c, row.data());
    }
    if (bias_.data() != nullptr) {
      static_cast<float*>(bias_.data())[panel * panel_width_ + c] =
          is_padding ? 0.0F : read_bias(slices, row_offset + first + c);
    }
    if (layout_ == PanelLayout::kFloat32) {
      float* to = static_cast<float*>(panels_.data()) + panel * panel_size_ + c;
      for (int64_t k = 0; k < in_features_; ++k) to[k * panel_width_] = row[static_cast<size_t>(k)];
    } else {
      BFloat16* to = static_cast<BFloat16*>(panels_.data()) + panel * panel_size_;
      for (int64_t k = 0; k < in_features_; ++k) to[bfloat16_index(k, c)] = to_bfloat16(row[static_cast<size_t>(k)]);
      for (int64_t k = in_features_; k < panel_size_ / panel_width_; ++k) to[bfloat16_index(k, c)] = BFloat16{};
    }
  }
}

void PanelMatrix::copy_row(int64_t row, float* to) const {
  const int64_t column = row % panel_width_;
  const int64_t begin = row / panel_width_ * panel_size_;
  if (layout_ == PanelLayout::kFloat32) {
    const float* from = static_cast<const float*>(panels_.data()) + begin + column;
    for (int64_t k = 0; k < in_features_; ++k) to[k] = from[k * panel_width_];
  } else {
    const BFloat16* from = static_cast<const BFloat16*>(panels_.data()) + begin;
    for (int64_t k = 0; k < in_features_; ++k) to[k] = to_float(from[bfloat16_index(k, column)]);
  }
}

}  // namespace sensorium
