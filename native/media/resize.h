#pragma once

#include <cstdint>
#include <span>

namespace sensorium {

enum class ResizeFilter { kBilinear, kBicubic, kLanczos };

/// Interleaved 8-bit RGB rows without padding: [height, width, 3].
struct RgbView {
  const uint8_t* data = nullptr;
  int32_t width = 0;
  int32_t height = 0;
};

/// Antialiased resize equal to Pillow's ImagingResample to the level: horizontal pass, then vertical, 22-bit fixed-point
/// coefficients, uint8 between the passes; a pass is skipped when its axis keeps its size. out: [out_height, out_width, 3].
void resize_rgb(const RgbView& image, int32_t out_width, int32_t out_height, ResizeFilter filter, uint8_t* out);

}  // namespace sensorium
