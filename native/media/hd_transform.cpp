#include "media/hd_transform.h"

#include <cmath>

#include "core/error.h"
#include "media/interpolate.h"

namespace sensorium {
namespace {

constexpr Rgb kWhite{255, 255, 255};
constexpr int32_t kMaxCrops = 1024;

Canvas transposed(const RgbView& image) {
  Canvas result({image.width, image.height}, {});
  for (int32_t y = 0; y < image.height; ++y) {
    for (int32_t x = 0; x < image.width; ++x) {
      const uint8_t* from = image.data + 3 * (static_cast<int64_t>(y) * image.width + x);
      uint8_t* to = result.pixels.data() + 3 * (static_cast<int64_t>(x) * image.height + y);
      for (int c = 0; c < 3; ++c) to[c] = from[c];
    }
  }
  return result;
}

/// Rows [3, patch, patch] of a square picture of floats [3, side, side].
Tensor to_patch_rows(const std::vector<float>& picture, int32_t side, int32_t patch_size) {
  const int64_t patches = side / patch_size, plane = static_cast<int64_t>(patch_size) * patch_size;
  Tensor rows({patches * patches, 3 * plane});
  float* out = rows.data();
  for (int64_t patch = 0; patch < patches * patches; ++patch) {
    const int64_t top = patch / patches * patch_size, left = patch % patches * patch_size;
    for (int64_t c = 0; c < 3; ++c) {
      for (int64_t i = 0; i < plane; ++i) {
        *out++ = picture[static_cast<size_t>((c * side + top + i / patch_size) * side + left + i % patch_size)];
      }
    }
  }
  return rows;
}

}  // namespace

View plan_hd(ImageSize landscape, const HdRules& rules) {
  if (rules.num_crops < 1 || rules.num_crops > kMaxCrops || rules.tile < 1) {
    throw Error(ErrorCode::kInvalidArgument, "the number of crops or the size of a tile is out of its range");
  }
  if (landscape.height < 1 || landscape.width < landscape.height) {
    throw Error(ErrorCode::kInvalidMedia, "a picture without pixels");
  }
  const double ratio = static_cast<double>(landscape.width) / landscape.height;
  int32_t scale = 1;
  while ((scale + 1) * std::ceil((scale + 1) / ratio) <= rules.num_crops) ++scale;
  const int32_t width = scale * rules.tile;
  const auto height = static_cast<int32_t>(width / ratio);
  if (height < 1) throw Error(ErrorCode::kInvalidMedia, "a picture whose sides differ that much leaves nothing to see");
  const int32_t padded = (height + rules.tile - 1) / rules.tile * rules.tile;
  return {{height, width}, (padded - height) / 2, 0, {padded, width}, {rules.tile, rules.tile}, kWhite};
}

ProcessedMedia hd_transform(const RgbView& image, const HdRules& rules, const PatchOptions& options) {
  check_patch_options(options);
  if (rules.tile < options.patch_size) throw Error(ErrorCode::kInvalidArgument, "a tile is smaller than a patch");
  if (image.data == nullptr) throw Error(ErrorCode::kInvalidMedia, "a picture without pixels");
  const bool is_portrait = image.width < image.height;
  const ImageSize landscape = is_portrait ? ImageSize{image.width, image.height} : ImageSize{image.height, image.width};
  const View drawn = plan_hd(landscape, rules);
  Canvas padded = draw_view(is_portrait ? transposed(image).view() : image, drawn, ResizeFilter::kBilinear);
  if (is_portrait) padded = transposed(padded.view());

  ViewPlan plan;
  plan.views = {squashed_view(padded.size)};
  plan.views.front().tile = {rules.tile, rules.tile};
  plan.tiles.emplace();
  plan.tiles->rows = padded.size.height / rules.tile;
  plan.tiles->columns = padded.size.width / rules.tile;
  plan.tiles->overview_h = plan.tiles->overview_w = rules.tile / options.patch_size;
  const RgbView view = padded.view();
  ProcessedMedia media = patchify_views({&view, 1}, plan, options, Modality::kImage);
  media.grid_t += 1;
  const std::vector<float> overview = interpolate_bicubic(view, make_level_table(options), {rules.tile, rules.tile});
  media.features = to_patch_rows(overview, rules.tile, options.patch_size);
  return media;
}

}  // namespace sensorium
