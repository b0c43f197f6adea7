#pragma once

#include "backend/cpu/simd/attention.h"
#include "backend/cpu/simd/linear.h"
#include "backend/cpu/simd/thin_attention.h"

namespace sensorium::simd {

/// The kernels of the vector type V.
template <class V>
KernelTable make_table(const char* name) {
  KernelTable table;
  table.name = name;
  table.rows = &V::row_kernels();
  table.panel_width = 2 * V::kLanes;
  table.tile_rows = V::kTileRows;
  table.linear_scratch = linear_scratch<V>;
  table.linear = linear<V>;
  table.attention_scratch = attention_scratch<V>;
  table.paged_attention = paged_attention<V>;
  table.segments = {segment_keys_size<V>, segment_values_size<V>, attention_scratch<V>, pack_segment<V>, segment_attention<V>};
  table.tiles = nullptr;
  return table;
}

}  // namespace sensorium::simd
