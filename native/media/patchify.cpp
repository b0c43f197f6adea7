#include "media/patchify.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <string>
#include <vector>

#include "core/error.h"
#include "media/row_resizer.h"

namespace sensorium {
namespace {

constexpr int64_t kMaxLevels = int64_t{1} << 31;

[[noreturn]] void refuse(const std::string& what) { throw Error(ErrorCode::kInvalidMedia, what); }

void check_frames(std::span<const RgbView> frames, ImageSize size, const PatchOptions& options) {
  if (frames.empty()) refuse("a video without frames");
  for (const RgbView& frame : frames) {
    if (frame.data == nullptr || frame.width < 1 || frame.height < 1) refuse("a picture without pixels");
    if (frame.width != frames[0].width || frame.height != frames[0].height) refuse("frames of different sizes");
  }
  if (!options.do_resize && (frames[0].width != size.width || frames[0].height != size.height)) {
    refuse("a picture that is not resized must have the wanted size");
  }
  const int32_t factor = options.patch_size * options.merge_size;
  if (size.height < 1 || size.width < 1 || size.height % factor != 0 || size.width % factor != 0) {
    refuse("a size of " + std::to_string(size.width) + " x " + std::to_string(size.height) + " is no multiple of " +
           std::to_string(factor));
  }
}

/// Cuts rows of frames into patch rows.
class PatchWriter {
 public:
  PatchWriter(const PatchOptions& options, const ProcessedMedia& media, uint8_t* out, int32_t num_frames)
      : options_(options),
        grid_h_(media.grid_h),
        grid_w_(media.grid_w),
        out_(out),
        num_frames_(num_frames),
        planes_(static_cast<size_t>(media.grid_w) * options.patch_size * 3) {
    plane_size_ = static_cast<int64_t>(options.patch_size) * options.patch_size;
    patch_bytes_ = 3 * num_frames * plane_size_;
    for (int32_t column = 0; column < grid_w_; ++column) column_offsets_.push_back(patch_index(0, 0, column) * patch_bytes_);
  }

  /// Row y of a frame, [width, 3], to the stored frames [first_frame, last_frame) of temporal patch `t`.
  void write(const uint8_t* row, int32_t t, int32_t y, int32_t first_frame, int32_t last_frame) {
    media_kernels().split_channels(row, planes_.size() / 3, planes_.data());
    const int32_t size = options_.patch_size;
    uint8_t* begin = out_ + patch_index(t, y / size, 0) * patch_bytes_ + static_cast<int64_t>(y % size) * size;
    switch (size) {
      case 14:
        return copy_segments<14>(begin, first_frame, last_frame);
      case 16:
        return copy_segments<16>(begin, first_frame, last_frame);
      default:
        return copy_segments<0>(begin, first_frame, last_frame);
    }
  }

 private:
  /// Place of a patch in the order (t, h / merge, w / merge, merge, merge).
  int64_t patch_index(int32_t t, int32_t patch_y, int32_t patch_x) const {
    const int64_t merge = options_.merge_size;
    const int64_t block = (static_cast<int64_t>(t) * grid_h_ / merge + patch_y / merge) * (grid_w_ / merge) + patch_x / merge;
    return (block * merge + patch_y % merge) * merge + patch_x % merge;
  }

  /// kSize: the patch size where it is known when compiling, else 0.
  template <int32_t kSize>
  void copy_segments(uint8_t* begin, int32_t first_frame, int32_t last_frame) const {
    const int32_t size = kSize != 0 ? kSize : options_.patch_size;
    const size_t width = planes_.size() / 3;
    for (int32_t column = 0; column < grid_w_; ++column) {
      for (int32_t channel = 0; channel < 3; ++channel) {
        const uint8_t* source = planes_.data() + channel * width + static_cast<size_t>(column) * size;
        for (int32_t frame = first_frame; frame < last_frame; ++frame) {
          std::memcpy(begin + column_offsets_[column] + (channel * num_frames_ + frame) * plane_size_, source,
                      static_cast<size_t>(size));
        }
      }
    }
  }

  const PatchOptions& options_;
  int32_t grid_h_, grid_w_;
  uint8_t* out_;
  int32_t num_frames_;           ///< stored of each patch
  std::vector<uint8_t> planes_;  ///< one row, [3, width]
  int64_t plane_size_ = 0;       ///< bytes of one channel of one frame of a patch
  int64_t patch_bytes_ = 0;
  std::vector<int64_t> column_offsets_;  ///< [grid_w] from a row's first patch
};

}  // namespace

LevelTable make_level_table(const PatchOptions& options) {
  LevelTable table;
  for (int channel = 0; channel < 3; ++channel) {
    for (int level = 0; level < 256; ++level) {
      float value = static_cast<float>(level);
      if (options.do_rescale) value = static_cast<float>(level * options.rescale_factor);
      if (options.do_normalize) value = (value - options.mean[channel]) / options.std[channel];
      table[channel][level] = value;
    }
  }
  return table;
}

void check_patch_options(const PatchOptions& options) {
  const auto is_small = [](int32_t value) { return value >= 1 && value <= 1024; };
  if (!is_small(options.patch_size) || !is_small(options.temporal_patch_size) || !is_small(options.merge_size)) {
    throw Error(ErrorCode::kInvalidArgument, "patch_size, temporal_patch_size and merge_size must lie in [1, 1024]");
  }
  if (options.do_rescale && !std::isfinite(options.rescale_factor)) {
    throw Error(ErrorCode::kInvalidArgument, "rescale_factor is not finite");
  }
  for (int channel = 0; options.do_normalize && channel < 3; ++channel) {
    const bool is_good =
        std::isfinite(options.mean[channel]) && std::isfinite(options.std[channel]) && options.std[channel] != 0.0F;
    if (!is_good) throw Error(ErrorCode::kInvalidArgument, "mean and std must be finite and std not zero");
  }
}

ProcessedMedia patchify(std::span<const RgbView> frames, ImageSize size, const PatchOptions& options, Modality modality) {
  check_patch_options(options);
  check_frames(frames, size, options);
  const auto num_frames = static_cast<int64_t>(frames.size());
  const int64_t temporal = options.temporal_patch_size;
  const auto num_stored = static_cast<int32_t>(num_frames == 1 ? 1 : temporal);  // one frame stands for its repetitions
  ProcessedMedia media;
  media.modality = modality;
  const int64_t grid_t = (num_frames + temporal - 1) / temporal;
  const int64_t levels_per_t = 3 * num_stored * static_cast<int64_t>(size.height) * size.width;
  if (grid_t > kMaxLevels / levels_per_t) refuse("a video of too many pixels");
  media.grid_t = static_cast<int32_t>(grid_t);
  media.grid_h = size.height / options.patch_size;
  media.grid_w = size.width / options.patch_size;
  media.patches = Patches(grid_t * media.grid_h * media.grid_w, options.temporal_patch_size, num_stored, options.patch_size,
                          make_level_table(options));

  PatchWriter writer(options, media, media.patches.levels(), num_stored);
  RowResizer resizer(frames[0].width, frames[0].height, size.width, size.height, options.filter);
  for (int64_t i = 0; i < num_frames; ++i) {
    resizer.start(frames[i].data);
    const auto place = static_cast<int32_t>(i % temporal);
    const int32_t place_end = i + 1 == num_frames ? num_stored : place + 1;  // the last frame is repeated
    for (int32_t y = 0; y < size.height; ++y) {
      writer.write(resizer.row(y), static_cast<int32_t>(i / temporal), y, place, place_end);
    }
  }
  return media;
}

}  // namespace sensorium
