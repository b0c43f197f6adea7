#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

#include "media/mel_plan.h"
#include "media/resize_axis.h"

namespace sensorium {

/// Rows of a strip: the horizontal pass works on a transposed strip, so that lanes are rows.
inline constexpr int32_t kStripRows = 32;

/// The hot loops of this room. Every table gives the same bits.
struct MediaKernels {
  std::string_view name;
  /// For each output position i in [first, last): the rounded, clamped weighted sum of the input blocks starts[i]..., each
  /// `block_size` bytes; input block p lies at in + (p - in_first) * in_stride, output block i at out + (i - first) *
  /// block_size.
  void (*weighted_sums)(const ResizeAxis& axis, int32_t first, int32_t last, const uint8_t* in, int32_t in_first,
                        size_t in_stride, size_t block_size, uint8_t* out);
  /// out[j * kStripRows + r] = in[r * in_stride + j] for j < num_columns; rows from num_rows on repeat the last one.
  void (*rows_to_columns)(const uint8_t* in, size_t in_stride, int32_t num_rows, size_t num_columns, uint8_t* out);
  /// The inverse: out[r * out_stride + j] = in[j * kStripRows + r] for r < num_rows.
  void (*columns_to_rows)(const uint8_t* in, size_t num_columns, int32_t num_rows, uint8_t* out, size_t out_stride);
  /// planes[c * width + x] = pixels[3 * x + c].
  void (*split_channels)(const uint8_t* pixels, size_t width, uint8_t* planes);
  /// Log-mel (log10 of the clamped mel power) of kMelLanes frames that lie `hop` apart from `samples` on;
  /// log_mel [kMelLanes, num_bins]; maxima [kMelLanes]: of each frame, at least -10;
  /// scratch: MelPlan::num_scratch_floats() floats, 64-byte aligned.
  void (*log_mel_frames)(const MelPlan& plan, const float* samples, float* scratch, float* log_mel, float* maxima);
};

/// Tables that this CPU can run, worst first: always the generic one.
const std::vector<const MediaKernels*>& available_media_kernels();
/// The best of them.
const MediaKernels& media_kernels();

const MediaKernels& generic_media_kernels();
#if defined(__x86_64__)
const MediaKernels& avx2_media_kernels();
const MediaKernels& avx512_media_kernels();
#endif

}  // namespace sensorium
