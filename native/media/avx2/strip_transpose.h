#pragma once

#include <immintrin.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>

#include "media/kernels.h"

namespace sensorium {
namespace {

static_assert(kStripRows == 32, "the two 128-bit lanes hold rows 0-15 and 16-31");

/// Transposes the 16 x 16 bytes of each 128-bit lane in place.
inline void transpose_lanes(__m256i v[16]) {
  __m256i w[16];
  for (int i = 0; i < 8; ++i) {
    w[2 * i] = _mm256_unpacklo_epi8(v[i], v[i + 8]);
    w[2 * i + 1] = _mm256_unpackhi_epi8(v[i], v[i + 8]);
  }
  for (int i = 0; i < 8; ++i) {
    v[2 * i] = _mm256_unpacklo_epi8(w[i], w[i + 8]);
    v[2 * i + 1] = _mm256_unpackhi_epi8(w[i], w[i + 8]);
  }
  for (int i = 0; i < 8; ++i) {
    w[2 * i] = _mm256_unpacklo_epi8(v[i], v[i + 8]);
    w[2 * i + 1] = _mm256_unpackhi_epi8(v[i], v[i + 8]);
  }
  for (int i = 0; i < 8; ++i) {
    v[2 * i] = _mm256_unpacklo_epi8(w[i], w[i + 8]);
    v[2 * i + 1] = _mm256_unpackhi_epi8(w[i], w[i + 8]);
  }
}

inline __m256i load_two_lanes(const uint8_t* low, const uint8_t* high) {
  return _mm256_inserti128_si256(_mm256_castsi128_si256(_mm_loadu_si128(reinterpret_cast<const __m128i*>(low))),
                                 _mm_loadu_si128(reinterpret_cast<const __m128i*>(high)), 1);
}

inline void rows_to_columns(const uint8_t* in, size_t in_stride, int32_t num_rows, size_t num_columns, uint8_t* out) {
  const uint8_t* rows[kStripRows];
  for (int32_t r = 0; r < kStripRows; ++r) rows[r] = in + std::min(r, num_rows - 1) * in_stride;
  size_t j = 0;
  for (; j + 16 <= num_columns; j += 16) {
    __m256i v[16];
    for (int r = 0; r < 16; ++r) v[r] = load_two_lanes(rows[r] + j, rows[r + 16] + j);
    transpose_lanes(v);
    for (int i = 0; i < 16; ++i) _mm256_storeu_si256(reinterpret_cast<__m256i*>(out + (j + i) * kStripRows), v[i]);
  }
  for (; j < num_columns; ++j) {
    for (int32_t r = 0; r < kStripRows; ++r) out[j * kStripRows + r] = rows[r][j];
  }
}

inline void columns_to_rows(const uint8_t* in, size_t num_columns, int32_t num_rows, uint8_t* out, size_t out_stride) {
  size_t j = 0;
  for (; j + 16 <= num_columns; j += 16) {
    __m256i v[16];
    for (int i = 0; i < 16; ++i) v[i] = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(in + (j + i) * kStripRows));
    transpose_lanes(v);
    for (int r = 0; r < 16; ++r) {
      uint8_t* row = out + r * out_stride + j;
      if (r < num_rows) _mm_storeu_si128(reinterpret_cast<__m128i*>(row), _mm256_castsi256_si128(v[r]));
      if (r + 16 < num_rows) {
        _mm_storeu_si128(reinterpret_cast<__m128i*>(row + 16 * out_stride), _mm256_extracti128_si256(v[r], 1));
      }
    }
  }
  for (; j < num_columns; ++j) {
    for (int32_t r = 0; r < num_rows; ++r) out[r * out_stride + j] = in[j * kStripRows + r];
  }
}

}  // namespace
}  // namespace sensorium
