#pragma once

#include <span>

#include "core/media_input.h"
#include "media/resize.h"
#include "media/smart_resize.h"

namespace sensorium {

struct PatchOptions {
  int32_t patch_size = 14;
  int32_t temporal_patch_size = 2;
  int32_t merge_size = 2;
  float mean[3] = {0.48145466F, 0.4578275F, 0.40821073F};
  float std[3] = {0.26862954F, 0.26130258F, 0.27577711F};
  ResizeFilter filter = ResizeFilter::kBicubic;
  bool do_resize = true, do_rescale = true, do_normalize = true;
  double rescale_factor = 1.0 / 255.0;
};

/// What each level of each channel becomes.
LevelTable make_level_table(const PatchOptions& options);
/// Throws kInvalidArgument on sizes, means or deviations that cannot be.
void check_patch_options(const PatchOptions& options);

/// Resizes frames to `size`, rescales, normalises and cuts them into Qwen2-VL's patch rows: order (t, h/merge, w/merge, merge,
/// merge), each row [3, temporal_patch_size, patch, patch]. The last frame is repeated up to a multiple of temporal_patch_size;
/// one image counts as one frame. All frames have the same size. Throws kInvalidMedia.
ProcessedMedia patchify(std::span<const RgbView> frames, ImageSize size, const PatchOptions& options, Modality modality);

}  // namespace sensorium
