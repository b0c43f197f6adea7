#if defined(__x86_64__)

#include "media/avx2/split_channels.h"
#include "media/avx2/strip_transpose.h"
#include "media/kernels.h"
#include "media/log_mel_frames.h"

namespace sensorium {
namespace {

constexpr size_t kLanes = 32;  ///< bytes of one block

/// Weights of one output position.
struct Taps {
  const int32_t* high_pairs;
  const int32_t* low_pairs;
  int32_t num_taps;
};

__m256i finish(__m256i high, __m256i low) {
  const __m256i half = _mm256_set1_epi32(1 << (kResizeWeightBits - 1));
  const __m256i sum = _mm256_add_epi32(_mm256_add_epi32(_mm256_slli_epi32(high, kResizeLowBits), low), half);
  return _mm256_srai_epi32(sum, kResizeWeightBits);
}

/// 32 bytes: pairs of taps are interleaved as int16, so that one multiply-add sums two of them.
void weighted_sum_32(const Taps& taps, const uint8_t* in, size_t in_stride, uint8_t* out) {
  const __m256i zero = _mm256_setzero_si256();
  __m256i high[4] = {zero, zero, zero, zero}, low[4] = {zero, zero, zero, zero};
  for (int32_t k = 0; k < taps.num_taps; k += 2) {
    const uint8_t* even = in + k * in_stride;
    const uint8_t* odd = k + 1 < taps.num_taps ? even + in_stride : even;  // its weight is zero past the end
    const __m256i a = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(even));
    const __m256i b = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(odd));
    const __m256i ab_low = _mm256_unpacklo_epi8(a, b), ab_high = _mm256_unpackhi_epi8(a, b);
    const __m256i pairs[4] = {_mm256_unpacklo_epi8(ab_low, zero), _mm256_unpackhi_epi8(ab_low, zero),
                              _mm256_unpacklo_epi8(ab_high, zero), _mm256_unpackhi_epi8(ab_high, zero)};
    const __m256i high_weight = _mm256_set1_epi32(taps.high_pairs[k / 2]);
    const __m256i low_weight = _mm256_set1_epi32(taps.low_pairs[k / 2]);
    for (int i = 0; i < 4; ++i) {
      high[i] = _mm256_add_epi32(high[i], _mm256_madd_epi16(pairs[i], high_weight));
      low[i] = _mm256_add_epi32(low[i], _mm256_madd_epi16(pairs[i], low_weight));
    }
  }
  const __m256i first = _mm256_packs_epi32(finish(high[0], low[0]), finish(high[1], low[1]));
  const __m256i second = _mm256_packs_epi32(finish(high[2], low[2]), finish(high[3], low[3]));
  _mm256_storeu_si256(reinterpret_cast<__m256i*>(out), _mm256_packus_epi16(first, second));
}

void weighted_sums(const ResizeAxis& axis, int32_t first, int32_t last, const uint8_t* in, int32_t in_first, size_t in_stride,
                   size_t block_size, uint8_t* out) {
  if (block_size < kLanes) {
    generic_media_kernels().weighted_sums(axis, first, last, in, in_first, in_stride, block_size, out);
    return;
  }
  for (int32_t i = first; i < last; ++i) {
    const size_t pairs = static_cast<size_t>(i) * axis.max_pairs;
    const Taps taps{&axis.high_pairs[pairs], &axis.low_pairs[pairs], axis.num_taps[i]};
    const uint8_t* blocks = in + (axis.starts[i] - in_first) * in_stride;
    size_t j = 0;
    for (; j + kLanes <= block_size; j += kLanes) weighted_sum_32(taps, blocks + j, in_stride, out + j);
    if (j < block_size) {
      const size_t tail = block_size - kLanes;  // overlaps what is done already: the same values again
      weighted_sum_32(taps, blocks + tail, in_stride, out + tail);
    }
    out += block_size;
  }
}

}  // namespace

const MediaKernels& avx2_media_kernels() {
  static const MediaKernels table{"avx2", weighted_sums, rows_to_columns, columns_to_rows, split_channels, log_mel_frames};
  return table;
}

}  // namespace sensorium

#endif
