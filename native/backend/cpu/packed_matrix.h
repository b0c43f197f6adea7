#pragma once

#include <span>

#include "backend/backend.h"
#include "core/thread_pool.h"

namespace sensorium {

/// Weights in panels of columns, [units][panels of a unit][in_features][panel_width], padded with zeros: lanes run along
/// output features, so that every output is one chain over in_features. bfloat16 panels hold in each 32-bit word the columns c
/// (low half) and c + panel_width / 2.
class PanelMatrix final : public PackedMatrix {
 public:
  /// Slices stacked along rows; a gated pair is two slices of equal shape whose panels alternate.
  PanelMatrix(std::span<const WeightSlice> slices, bool is_gated, DType dtype, int64_t panel_width, ThreadPool& pool);

  int64_t out_features() const override { return out_features_; }
  int64_t in_features() const override { return in_features_; }
  size_t size_bytes() const override { return panels_.size_bytes() + bias_.size_bytes(); }

  bool is_gated() const { return is_gated_; }
  DType dtype() const { return dtype_; }
  const void* panels() const { return panels_.data(); }
  const float* bias() const { return static_cast<const float*>(bias_.data()); }  ///< padded like the panels, or nullptr
  int64_t num_units() const { return num_units_; }
  /// Columns of linear()'s result.
  int64_t num_columns() const { return is_gated_ ? out_features_ / 2 : out_features_; }
  /// Writes row `row` of the matrix on disk, [in_features], as float32. Not for gated pairs.
  void copy_row(int64_t row, float* to) const;

 private:
  /// `row` is room for [in_features].
  void pack_panel(int64_t panel, std::span<const WeightSlice> slices, std::span<float> row);

  int64_t out_features_ = 0;
  int64_t in_features_ = 0;
  int64_t panel_width_;
  int64_t num_units_ = 0;
  bool is_gated_;
  DType dtype_;
  Buffer panels_;
  Buffer bias_;
};

}  // namespace sensorium
