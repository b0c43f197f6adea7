#include "backend/cpu/avx2/vec.h"
#include "backend/cpu/simd/make_table.h"
#include "backend/cpu/tile/emulated_unit.h"
#include "backend/cpu/tile/make_tiles.h"

namespace sensorium {

const KernelTable& avx2_table() {
  static const KernelTable table = simd::make_table<Avx2Vec>("avx2");
  return table;
}

const TileKernels& avx2_emulated_tiles() {
  static const TileKernels tiles = tile::make_tiles<tile::EmulatedUnit<Avx2Vec>, Avx2Vec>(TileUnit::kEmulated);
  return tiles;
}

}  // namespace sensorium
