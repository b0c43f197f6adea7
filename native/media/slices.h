#pragma once

#include "media/views.h"

namespace sensorium {

/// How MiniCPM-V cuts a picture.
struct SliceRules {
  int32_t max_slices = 9;
  int32_t scale_resolution = 448;  ///< side of the square whose area a slice has, about
  int32_t patch_size = 14;
};

/// The whole picture at about a slice's area and, where the picture is larger, slices of it in the grid that fits its sides
/// best. Source: MiniCPMVImageProcessor. Throws kInvalidMedia, kInvalidArgument.
ViewPlan plan_slices(ImageSize image, const SliceRules& rules);

}  // namespace sensorium
