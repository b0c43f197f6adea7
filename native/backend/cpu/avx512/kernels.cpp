#include "backend/cpu/avx512/vec.h"
#include "backend/cpu/simd/make_table.h"
#include "backend/cpu/tile/emulated_unit.h"
#include "backend/cpu/tile/make_tiles.h"

namespace sensorium {

const KernelTable& avx512_table() {
  static const KernelTable table = simd::make_table<Avx512Vec>("avx512");
  return table;
}

const TileKernels& avx512_emulated_tiles() {
  static const TileKernels tiles = tile::make_tiles<tile::EmulatedUnit<Avx512Vec>, Avx512Vec>(TileUnit::kEmulated);
  return tiles;
}

}  // namespace sensorium
