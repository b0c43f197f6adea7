#include <chrono>

#include "backend/cpu/avx512_bf16/dot_unit.h"
#include "backend/cpu/tile/make_tiles.h"

namespace sensorium {
namespace {

/// Weights that a streaming product asks for ahead of their use.
constexpr int64_t kPrefetchElements = 16 * kTileElements;

/// sums [kRows][kTilePanelWidth] (+)= rows x panel, one chain of dots over the pairs of depth for each element.
template <int kRows, bool kIsStreaming>
void dot_rows(const uint16_t* left, const uint16_t* right, int64_t depth_tiles, float* sums, bool is_first) {
  __m512 low[kRows], high[kRows];
  for (int r = 0; r < kRows; ++r) {
    low[r] = is_first ? _mm512_setzero_ps() : _mm512_loadu_ps(sums + r * kTilePanelWidth);
    high[r] = is_first ? _mm512_setzero_ps() : _mm512_loadu_ps(sums + r * kTilePanelWidth + kTileSize);
  }
  for (int64_t t = 0; t < depth_tiles; ++t, left += kTileElements, right += 2 * kTileElements) {
#pragma GCC unroll 4
    for (int64_t p = 0; p < kTileSize; ++p) {
      if constexpr (kIsStreaming) {
        __builtin_prefetch(right + p * kTileDepth + kPrefetchElements, 0, simd::kSecondLevel);
        __builtin_prefetch(right + kTileElements + p * kTileDepth + kPrefetchElements, 0, simd::kSecondLevel);
      }
      const __m512bh low_pairs = load_pairs(right + p * kTileDepth);
      const __m512bh high_pairs = load_pairs(right + kTileElements + p * kTileDepth);
#pragma GCC unroll 12
      for (int r = 0; r < kRows; ++r) {
        const __m512bh x = broadcast_pair(left + r * kTileDepth + 2 * p);
        low[r] = _mm512_dpbf16_ps(low[r], x, low_pairs);
        high[r] = _mm512_dpbf16_ps(high[r], x, high_pairs);
      }
    }
  }
  for (int r = 0; r < kRows; ++r) {
    _mm512_storeu_ps(sums + r * kTilePanelWidth, low[r]);
    _mm512_storeu_ps(sums + r * kTilePanelWidth + kTileSize, high[r]);
  }
}

/// The same for few rows and several panels at once, over the whole depth: each panel is read in the order of memory, which
/// the hardware's prefetchers follow best.
template <int kRows, int kPanels>
void dot_thin_rows(const uint16_t* left, const uint16_t* right, int64_t panel_stride, int64_t depth_tiles, float* sums,
                   int64_t sums_stride) {
  __m512 total[2][kPanels][kRows];  // of the first and of the second column tile
  for (int half = 0; half < 2; ++half) {
    for (int n = 0; n < kPanels; ++n) {
      for (int r = 0; r < kRows; ++r) total[half][n][r] = _mm512_setzero_ps();
    }
  }
  for (int64_t t = 0; t < depth_tiles; ++t, left += kTileElements) {
#pragma GCC unroll 2
    for (int half = 0; half < 2; ++half, right += kTileElements) {
#pragma GCC unroll 2
      for (int64_t p = 0; p < kTileSize; ++p) {
#pragma GCC unroll 4
        for (int n = 0; n < kPanels; ++n) {
          const uint16_t* const from = right + n * panel_stride + p * kTileDepth;
          const __m512bh pairs = load_pairs(from);
#pragma GCC unroll 4
          for (int r = 0; r < kRows; ++r) {
            const __m512bh x = broadcast_pair(left + r * kTileDepth + 2 * p);
            total[half][n][r] = _mm512_dpbf16_ps(total[half][n][r], x, pairs);
          }
        }
      }
    }
  }
  for (int half = 0; half < 2; ++half) {
    for (int n = 0; n < kPanels; ++n) {
      for (int r = 0; r < kRows; ++r) {
        _mm512_storeu_ps(sums + n * sums_stride + r * kTilePanelWidth + half * kTileSize, total[half][n][r]);
      }
    }
  }
}

/// Products in registers: the sums of eight rows and a whole panel.
class DotProduct {
 public:
  static constexpr int64_t kMaxStreamingRows = INT64_MAX;
  static constexpr int64_t kMaxThinRows = 4;
  static constexpr int64_t kThinPanels = 2;

  /// The few rows of a task times kThinPanels panels.
  void multiply_thin(const uint16_t* packed_x, Range rows, int64_t depth_tiles, const uint16_t* right, int64_t panel_stride,
                     float* sums, int64_t sums_stride) {
    const uint16_t* left =
        packed_x + rows.begin / kTileSize * depth_tiles * kTileElements + rows.begin % kTileSize * kTileDepth;
    using Kernel = void (*)(const uint16_t*, const uint16_t*, int64_t, int64_t, float*, int64_t);
    static constexpr Kernel kKernels[kMaxThinRows] = {dot_thin_rows<1, kThinPanels>, dot_thin_rows<2, kThinPanels>,
                                                      dot_thin_rows<3, kThinPanels>, dot_thin_rows<4, kThinPanels>};
    kKernels[rows.size() - 1](left, right, panel_stride, depth_tiles, sums, sums_stride);
  }

  void multiply_panel(const uint16_t* packed_x, Range rows, int64_t depth_tiles, int64_t block, const uint16_t* right,
                      float* sums) {
    using Kernel = void (*)(const uint16_t*, const uint16_t*, int64_t, float*, bool);
    static constexpr Kernel kKernels[] = {dot_rows<1, false>, dot_rows<2, false>, dot_rows<3, false>, dot_rows<4, false>,
                                          dot_rows<5, false>, dot_rows<6, false>, dot_rows<7, false>, dot_rows<8, false>};
    static constexpr Kernel kStreaming[] = {dot_rows<1, true>, dot_rows<2, true>, dot_rows<3, true>, dot_rows<4, true>,
                                            dot_rows<5, true>, dot_rows<6, true>, dot_rows<7, true>, dot_rows<8, true>};
    const int64_t first_tile = block * tile::kDepthTiles;
    const int64_t left_tiles = depth_tiles - first_tile;
    const int64_t count = left_tiles < tile::kDepthTiles ? left_tiles : tile::kDepthTiles;
    for (int64_t r = 0; r < rows.size(); r += kRows) {
      const int64_t height = rows.size() - r < kRows ? rows.size() - r : kRows;
      const int64_t row = rows.begin + r;
      const uint16_t* left =
          packed_x + (row / kTileSize * depth_tiles + first_tile) * kTileElements + row % kTileSize * kTileDepth;
      (r == 0 ? kStreaming : kKernels)[height - 1](left, right, count, sums + r * kTilePanelWidth, block == 0);
    }
  }

 private:
  static constexpr int64_t kRows = 8;
};

/// Nanoseconds of the quickest of several runs of `work`.
template <typename Work>
int64_t time_quickest(Work work) {
  int64_t best = INT64_MAX;
  for (int run = 0; run < 40; ++run) {
    const auto begin = std::chrono::steady_clock::now();
    work();
    const int64_t nanoseconds = (std::chrono::steady_clock::now() - begin).count();
    if (nanoseconds < best) best = nanoseconds;
  }
  return best;
}

// Twelve independent chains on registers, named by hand so that the compiler keeps none of them in memory.
#define SENSORIUM_CHAIN(instruction, sum) instruction " %%zmm30, %%zmm31, %%zmm" sum "\n\t"
#define SENSORIUM_CHAINS(instruction) \
  SENSORIUM_CHAIN(instruction, "16")  \
  SENSORIUM_CHAIN(instruction, "17")  \
  SENSORIUM_CHAIN(instruction, "18")  \
  SENSORIUM_CHAIN(instruction, "19")  \
  SENSORIUM_CHAIN(instruction, "20")  \
  SENSORIUM_CHAIN(instruction, "21")  \
  SENSORIUM_CHAIN(instruction, "22")  \
  SENSORIUM_CHAIN(instruction, "23")  \
  SENSORIUM_CHAIN(instruction, "24")  \
  SENSORIUM_CHAIN(instruction, "25")  \
  SENSORIUM_CHAIN(instruction, "26")  \
  SENSORIUM_CHAIN(instruction, "27")
#define SENSORIUM_CHAIN_REGISTERS \
  "xmm16", "xmm17", "xmm18", "xmm19", "xmm20", "xmm21", "xmm22", "xmm23", "xmm24", "xmm25", "xmm26", "xmm27"

bool measure_dots() {
  constexpr int kSteps = 500;
  asm volatile("vpxord %%zmm30, %%zmm30, %%zmm30\n\tvpxord %%zmm31, %%zmm31, %%zmm31" ::: "xmm30", "xmm31");
  const int64_t fma = time_quickest([] {
    for (int i = 0; i < kSteps; ++i) asm volatile(SENSORIUM_CHAINS("vfmadd231ps")::: SENSORIUM_CHAIN_REGISTERS);
  });
  const int64_t dot = time_quickest([] {
    for (int i = 0; i < kSteps; ++i) asm volatile(SENSORIUM_CHAINS("vdpbf16ps")::: SENSORIUM_CHAIN_REGISTERS);
  });
  return 3 * dot < 4 * fma;  // a dot does two multiply-adds
}

#undef SENSORIUM_CHAIN_REGISTERS
#undef SENSORIUM_CHAINS
#undef SENSORIUM_CHAIN

}  // namespace

bool are_avx512_bf16_dots_fast() {
  static const bool are_fast = measure_dots();
  return are_fast;
}

const TileKernels& avx512_bf16_dots() {
  static const TileKernels tiles = tile::make_tiles<DotUnit, Avx512Vec, DotProduct>(TileUnit::kNone, ProductUnit::kBFloat16Dot);
  return tiles;
}

}  // namespace sensorium
