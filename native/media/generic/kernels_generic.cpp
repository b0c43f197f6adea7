#include <algorithm>

#include "media/kernels.h"
#include "media/log_mel_frames.h"

namespace sensorium {
namespace {

uint8_t clamp_to_byte(int32_t sum) { return static_cast<uint8_t>(std::clamp(sum >> kResizeWeightBits, 0, 255)); }

void weighted_sum(const int32_t* weights, int32_t num_taps, const uint8_t* in, size_t in_stride, size_t count, uint8_t* out) {
  constexpr size_t max_lanes = 64;
  for (size_t begin = 0; begin < count; begin += max_lanes) {
    const size_t num_lanes = std::min(max_lanes, count - begin);
    int32_t sums[max_lanes];
    std::fill_n(sums, max_lanes, 1 << (kResizeWeightBits - 1));
    for (int32_t k = 0; k < num_taps; ++k) {
      const uint8_t* row = in + k * in_stride + begin;
      const int32_t weight = weights[k];
      for (size_t j = 0; j < num_lanes; ++j) sums[j] += row[j] * weight;
    }
    for (size_t j = 0; j < num_lanes; ++j) out[begin + j] = clamp_to_byte(sums[j]);
  }
}

void weighted_sums(const ResizeAxis& axis, int32_t first, int32_t last, const uint8_t* in, int32_t in_first, size_t in_stride,
                   size_t block_size, uint8_t* out) {
  for (int32_t i = first; i < last; ++i) {
    const int32_t* weights = &axis.weights[static_cast<size_t>(i) * axis.max_taps];
    weighted_sum(weights, axis.num_taps[i], in + (axis.starts[i] - in_first) * in_stride, in_stride, block_size, out);
    out += block_size;
  }
}

void rows_to_columns(const uint8_t* in, size_t in_stride, int32_t num_rows, size_t num_columns, uint8_t* out) {
  for (int32_t r = 0; r < kStripRows; ++r) {
    const uint8_t* row = in + std::min(r, num_rows - 1) * in_stride;
    for (size_t j = 0; j < num_columns; ++j) out[j * kStripRows + r] = row[j];
  }
}

void columns_to_rows(const uint8_t* in, size_t num_columns, int32_t num_rows, uint8_t* out, size_t out_stride) {
  for (int32_t r = 0; r < num_rows; ++r) {
    uint8_t* row = out + r * out_stride;
    for (size_t j = 0; j < num_columns; ++j) row[j] = in[j * kStripRows + r];
  }
}

void split_channels(const uint8_t* pixels, size_t width, uint8_t* planes) {
  for (size_t x = 0; x < width; ++x) {
    for (size_t channel = 0; channel < 3; ++channel) planes[channel * width + x] = pixels[3 * x + channel];
  }
}

}  // namespace

const MediaKernels& generic_media_kernels() {
  static const MediaKernels table{"generic", weighted_sums, rows_to_columns, columns_to_rows, split_channels, log_mel_frames};
  return table;
}

}  // namespace sensorium
