#pragma once

#include <array>
#include <cstdint>
#include <span>

#include "backend/backend.h"

namespace sensorium::ops {

// Tables hold cos and sin of position * inverse frequency, times `scale` (attention factor of scaled RoPE), computed in
// float32: cos, sin [positions, rotary_dim / 2]. Each throws kInvalidArgument when shapes do not agree.

/// Rotate-half RoPE in place on x [rows, num_heads * head_dim]; cos, sin [rows, rotary_dim / 2], rotary_dim <= head_dim.
void rope(Backend& backend, Matrix x, int64_t num_heads, int64_t head_dim, ConstMatrix cos, ConstMatrix sin);

/// One position a row; inv_freq [rotary_dim / 2].
void rope_tables(Backend& backend, std::span<const float> positions, std::span<const float> inv_freq, float scale, Matrix cos,
                 Matrix sin);

/// Which of the three axes (temporal, height, width) turns each frequency of M-RoPE.
struct MropeSections {
  std::array<int64_t, 3> sizes{};  ///< frequencies of each axis; their sum is rotary_dim / 2
  /// false: temporal first, then height, then width. true: frequency j is height when j % 3 == 1 and j < 3 * sizes[1],
  /// width when j % 3 == 2 and j < 3 * sizes[2], else temporal.
  bool is_interleaved = false;
};

/// Three positions a row (all three equal gives rope_tables); inv_freq [rotary_dim / 2].
void mrope_tables(Backend& backend, std::span<const float> positions_t, std::span<const float> positions_h,
                  std::span<const float> positions_w, const MropeSections& sections, std::span<const float> inv_freq,
                  float scale, Matrix cos, Matrix sin);

/// Rotation of a picture's patches: the first half of the columns turns with height, the second with width;
/// inv_freq [rotary_dim / 4].
void rope_2d_tables(Backend& backend, std::span<const float> positions_h, std::span<const float> positions_w,
                    std::span<const float> inv_freq, Matrix cos, Matrix sin);

}  // namespace sensorium::ops
