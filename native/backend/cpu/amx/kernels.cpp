#include "backend/cpu/amx/tile_unit.h"
#include "backend/cpu/avx512/vec.h"
#include "backend/cpu/tile/make_tiles.h"

namespace sensorium {

const TileKernels& amx_tiles() {
  static const TileKernels tiles = tile::make_tiles<AmxUnit, Avx512Vec>(TileUnit::kInstructions);
  return tiles;
}

}  // namespace sensorium
