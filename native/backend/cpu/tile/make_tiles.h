#pragma once

#include "backend/cpu/tile/tile_attention.h"
#include "backend/cpu/tile/tile_linear.h"

namespace sensorium::tile {

/// The kernels of a tile unit, with V for what surrounds it.
template <class Unit, class V>
TileKernels make_tiles(TileUnit making) {
  TileKernels tiles;
  tiles.unit = making;
  tiles.pack_rows = pack_rows<V>;
  tiles.linear_scratch = linear_scratch<V>;
  tiles.linear = linear<Unit, V>;
  tiles.segments = {segment_keys_size<V>, segment_values_size<V>, segment_scratch<V>, pack_segment<V>,
                    segment_attention<Unit, V>};
  return tiles;
}

}  // namespace sensorium::tile
