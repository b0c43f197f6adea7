#pragma once

#include "backend/cpu/tile/tile_attention.h"
#include "backend/cpu/tile/tile_linear.h"

namespace sensorium::tile {

/// The kernels of a tile unit, with V for what surrounds it and Product for linear().
template <class Unit, class V, class Product = TileProduct<Unit>>
TileKernels make_tiles(TileUnit making, ProductUnit product_unit = ProductUnit::kTiles) {
  TileKernels tiles;
  tiles.unit = making;
  tiles.product_unit = product_unit;
  tiles.pack_rows = pack_rows<V>;
  tiles.linear_scratch = linear_scratch<V>;
  tiles.linear = linear<Product, V>;
  tiles.segments = {segment_keys_size<V>, segment_values_size<V>, segment_scratch<V>, pack_segment<V>,
                    segment_attention<Unit, V>};
  return tiles;
}

}  // namespace sensorium::tile
