#include "media/patchify.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>
#include <string>
#include <vector>

#include "core/error.h"
#include "media/row_resizer.h"

namespace sensorium {
namespace {

constexpr int64_t kMaxFeatures = int64_t{1} << 31;  ///< 8 GiB of float32

[[noreturn]] void refuse(const std::string& what) { throw Error(ErrorCode::kInvalidMedia, what); }

/// What each level of each channel becomes: rescaled, then normalised.
using LevelTable = std::array<std::array<float, 256>, 3>;

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

void check_options(const PatchOptions& options) {
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

/// Cuts rows of frames into patch rows of the output.
class PatchWriter {
 public:
  PatchWriter(const PatchOptions& options, ImageSize size, float* out)
      : options_(options),
        levels_(make_level_table(options)),
        grid_h_(size.height / options.patch_size),
        grid_w_(size.width / options.patch_size),
        out_(out),
        planes_(static_cast<size_t>(size.width) * 3) {
    plane_size_ = static_cast<int64_t>(options.patch_size) * options.patch_size;
    patch_dim_ = 3 * options.temporal_patch_size * plane_size_;
    for (int32_t column = 0; column < grid_w_; ++column) column_offsets_.push_back(patch_index(0, 0, column) * patch_dim_);
  }

  /// Row y of a frame, [width, 3], to temporal places [first_t, last_t) of temporal patch `t`.
  void write(const uint8_t* row, int32_t t, int32_t y, int32_t first_t, int32_t last_t) {
    to_planes(row);
    const int32_t size = options_.patch_size;
    float* begin = out_ + patch_index(t, y / size, 0) * patch_dim_ + static_cast<int64_t>(y % size) * size;
    switch (size) {
      case 14:
        return copy_segments<14>(begin, first_t, last_t);
      case 16:
        return copy_segments<16>(begin, first_t, last_t);
      default:
        return copy_segments<0>(begin, first_t, last_t);
    }
  }

 private:
  /// Place of a patch in the order (t, h / merge, w / merge, merge, merge).
  int64_t patch_index(int32_t t, int32_t patch_y, int32_t patch_x) const {
    const int64_t merge = options_.merge_size;
    const int64_t block = (static_cast<int64_t>(t) * grid_h_ / merge + patch_y / merge) * (grid_w_ / merge) + patch_x / merge;
    return (block * merge + patch_y % merge) * merge + patch_x % merge;
  }

  void to_planes(const uint8_t* row) {
    const size_t width = planes_.size() / 3;
    float *red = planes_.data(), *green = red + width, *blue = green + width;
    for (size_t x = 0; x < width; ++x) {
      red[x] = levels_[0][row[3 * x]];
      green[x] = levels_[1][row[3 * x + 1]];
      blue[x] = levels_[2][row[3 * x + 2]];
    }
  }

  /// kSize: the patch size where it is known when compiling, else 0.
  template <int32_t kSize>
  void copy_segments(float* begin, int32_t first_t, int32_t last_t) const {
    const int32_t size = kSize != 0 ? kSize : options_.patch_size;
    const size_t width = planes_.size() / 3;
    for (int32_t column = 0; column < grid_w_; ++column) {
      for (int32_t channel = 0; channel < 3; ++channel) {
        const float* source = planes_.data() + channel * width + static_cast<size_t>(column) * size;
        for (int32_t t = first_t; t < last_t; ++t) {
          float* plane = begin + column_offsets_[column] + (channel * options_.temporal_patch_size + t) * plane_size_;
          std::memcpy(plane, source, static_cast<size_t>(size) * sizeof(float));
        }
      }
    }
  }

  const PatchOptions& options_;
  LevelTable levels_;
  int32_t grid_h_, grid_w_;
  float* out_;
  std::vector<float> planes_;            ///< one row, [3, width]
  int64_t plane_size_ = 0;               ///< floats of one channel of one frame of a patch
  int64_t patch_dim_ = 0;                ///< floats of a patch
  std::vector<int64_t> column_offsets_;  ///< [grid_w] from a row's first patch
};

}  // namespace

ProcessedMedia patchify(std::span<const RgbView> frames, ImageSize size, const PatchOptions& options, Modality modality) {
  check_options(options);
  check_frames(frames, size, options);
  const auto num_frames = static_cast<int64_t>(frames.size());
  const int64_t temporal = options.temporal_patch_size;
  ProcessedMedia media;
  media.modality = modality;
  const int64_t grid_t = (num_frames + temporal - 1) / temporal;
  const int64_t patch_dim = 3 * temporal * options.patch_size * options.patch_size;
  const int64_t patches_per_t = static_cast<int64_t>(size.height / options.patch_size) * (size.width / options.patch_size);
  if (grid_t > kMaxFeatures / (patches_per_t * patch_dim)) refuse("a video of too many pixels");
  media.grid_t = static_cast<int32_t>(grid_t);
  media.grid_h = size.height / options.patch_size;
  media.grid_w = size.width / options.patch_size;
  media.features = Tensor({grid_t * patches_per_t, patch_dim});

  PatchWriter writer(options, size, media.features.data());
  RowResizer resizer(frames[0].width, frames[0].height, size.width, size.height, options.filter);
  for (int64_t i = 0; i < num_frames; ++i) {
    resizer.start(frames[i].data);
    const auto place = static_cast<int32_t>(i % temporal);
    const int32_t place_end = i + 1 == num_frames ? static_cast<int32_t>(temporal) : place + 1;  // the last frame is repeated
    for (int32_t y = 0; y < size.height; ++y) {
      writer.write(resizer.row(y), static_cast<int32_t>(i / temporal), y, place, place_end);
    }
  }
  return media;
}

}  // namespace sensorium
