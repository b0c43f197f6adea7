#pragma once

#include <cstdint>
#include <vector>

#include "media/views.h"

namespace sensorium {

/// torch's interpolate(mode="bicubic", align_corners=False, antialias=False) of a picture whose levels stand for `values`:
/// [3, size.height, size.width]. Another filter than resizing's: a = -0.75, four taps whatever the scale, edges repeated.
std::vector<float> interpolate_bicubic(const RgbView& image, const LevelTable& values, ImageSize size);

}  // namespace sensorium
