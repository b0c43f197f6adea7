#if defined(__x86_64__)

// GCC 12 takes the undefined pass-through operands of its own AVX-512 header for uninitialised reads.
#pragma GCC diagnostic ignored "-Wuninitialized"
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"

#include "media/avx2/split_channels.h"
#include "media/avx2/strip_transpose.h"
#include "media/kernels.h"
#include "media/log_mel_frames.h"

namespace sensorium {
namespace {

constexpr size_t kLanes = 64;  ///< bytes of one block

/// Weights of one output position.
struct Taps {
  const int32_t* high_pairs;
  const int32_t* low_pairs;
  int32_t num_taps;
};

__m512i finish(__m512i high, __m512i low) {
  const __m512i half = _mm512_set1_epi32(1 << (kResizeWeightBits - 1));
  const __m512i sum = _mm512_add_epi32(_mm512_add_epi32(_mm512_slli_epi32(high, kResizeLowBits), low), half);
  return _mm512_srai_epi32(sum, kResizeWeightBits);
}

/// Up to 64 bytes: pairs of taps are interleaved as int16, so that one multiply-add sums two of them.
void weighted_sum_64(const Taps& taps, const uint8_t* in, size_t in_stride, __mmask64 mask, uint8_t* out) {
  const __m512i zero = _mm512_setzero_si512();
  __m512i high[4] = {zero, zero, zero, zero}, low[4] = {zero, zero, zero, zero};
  for (int32_t k = 0; k < taps.num_taps; k += 2) {
    const uint8_t* even = in + k * in_stride;
    const uint8_t* odd = k + 1 < taps.num_taps ? even + in_stride : even;  // its weight is zero past the end
    const __m512i a = _mm512_maskz_loadu_epi8(mask, even), b = _mm512_maskz_loadu_epi8(mask, odd);
    const __m512i ab_low = _mm512_unpacklo_epi8(a, b), ab_high = _mm512_unpackhi_epi8(a, b);
    const __m512i pairs[4] = {_mm512_unpacklo_epi8(ab_low, zero), _mm512_unpackhi_epi8(ab_low, zero),
                              _mm512_unpacklo_epi8(ab_high, zero), _mm512_unpackhi_epi8(ab_high, zero)};
    const __m512i high_weight = _mm512_set1_epi32(taps.high_pairs[k / 2]);
    const __m512i low_weight = _mm512_set1_epi32(taps.low_pairs[k / 2]);
    for (int i = 0; i < 4; ++i) {
      high[i] = _mm512_add_epi32(high[i], _mm512_madd_epi16(pairs[i], high_weight));
      low[i] = _mm512_add_epi32(low[i], _mm512_madd_epi16(pairs[i], low_weight));
    }
  }
  const __m512i first = _mm512_packs_epi32(finish(high[0], low[0]), finish(high[1], low[1]));
  const __m512i second = _mm512_packs_epi32(finish(high[2], low[2]), finish(high[3], low[3]));
  _mm512_mask_storeu_epi8(out, mask, _mm512_packus_epi16(first, second));
}

void weighted_sums(const ResizeAxis& axis, int32_t first, int32_t last, const uint8_t* in, int32_t in_first, size_t in_stride,
                   size_t block_size, uint8_t* out) {
  for (int32_t i = first; i < last; ++i) {
    const size_t pairs = static_cast<size_t>(i) * axis.max_pairs;
    const Taps taps{&axis.high_pairs[pairs], &axis.low_pairs[pairs], axis.num_taps[i]};
    const uint8_t* blocks = in + (axis.starts[i] - in_first) * in_stride;
    for (size_t j = 0; j < block_size; j += kLanes) {
      const size_t count = block_size - j;
      const __mmask64 mask = count >= kLanes ? ~__mmask64{0} : (__mmask64{1} << count) - 1;
      weighted_sum_64(taps, blocks + j, in_stride, mask, out + j);
    }
    out += block_size;
  }
}

}  // namespace

const MediaKernels& avx512_media_kernels() {
  static const MediaKernels table{"avx512", weighted_sums, rows_to_columns, columns_to_rows, split_channels, log_mel_frames};
  return table;
}

}  // namespace sensorium

#endif
