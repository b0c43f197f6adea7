#pragma once

#include <span>

#include "backend/backend.h"
#include "core/thread_pool.h"

namespace sensorium {

/// How a panel of columns [in_features][panel_width] lies in memory. Lanes run along output features.
enum class PanelLayout {
  kFloat32,         ///< as it stands
  kBFloat16Halves,  ///< 32-bit words [in_features][panel_width / 2]: column c (low half) and c + panel_width / 2
  kBFloat16Tiles,   ///< [depth tiles][2 column tiles][16 pairs][16 columns][2], in_features padded to whole tiles
};

/// Weights in panels, [units][panels of a unit][panel], padded with zeros.
class PanelMatrix final : public PackedMatrix {
 public:
  /// Slices stacked along rows; a gated pair is two slices of equal shape whose panels alternate.
  PanelMatrix(std::span<const WeightSlice> slices, bool is_gated, PanelLayout layout, int64_t panel_width, ThreadPool& pool);

  int64_t out_features() const override { return out_features_; }
  int64_t in_features() const override { return in_features_; }
  size_t size_bytes() const override { return panels_.size_bytes() + bias_.size_bytes(); }

  bool is_gated() const { return is_gated_; }
  PanelLayout layout() const { return layout_; }
  DType dtype() const { return layout_ == PanelLayout::kFloat32 ? DType::kFloat32 : DType::kBFloat16; }
  const void* panels() const { return panels_.data(); }
  const float* bias() const { return static_cast<const float*>(bias_.data()); }  ///< padded like the panels, or nullptr
  int64_t num_units() const { return num_units_; }
  /// Columns of linear()'s result.
  int64_t num_columns() const { return is_gated_ ? out_features_ / 2 : out_features_; }
  /// Writes row `row` of the matrix on disk, [in_features], as float32. Not for gated pairs.
  void copy_row(int64_t row, float* to) const;

 private:
  /// Index of element (k, column) inside a bfloat16 panel.
  int64_t bfloat16_index(int64_t k, int64_t column) const;
  /// `row` is room for [in_features].
  void pack_panel(int64_t panel, std::span<const WeightSlice> slices, std::span<float> row);

  int64_t out_features_ = 0;
  int64_t in_features_ = 0;
  int64_t panel_width_;
  int64_t num_units_ = 0;
  bool is_gated_;
  PanelLayout layout_;
  int64_t panel_size_ = 0;  ///< elements of a panel
  Buffer panels_;
  Buffer bias_;
};

}  // namespace sensorium
