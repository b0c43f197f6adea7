#include "media/anyres.h"

#include <algorithm>
#include <cmath>

#include "core/error.h"

namespace sensorium {
namespace {

double area(double height, double width) { return height * width; }

/// Most pixels of the picture, then least waste; the first of equals.
ImageSize best_size(ImageSize image, const std::vector<ImageSize>& sizes) {
  ImageSize best;
  double most_pixels = -1.0, least_waste = 0.0;
  for (const ImageSize& size : sizes) {
    const double scale =
        std::min(static_cast<double>(size.width) / image.width, static_cast<double>(size.height) / image.height);
    const double scaled = area(std::trunc(image.height * scale), std::trunc(image.width * scale));
    const double pixels = std::min(scaled, area(image.height, image.width));
    const double waste = area(size.height, size.width) - pixels;
    if (pixels < most_pixels || (pixels == most_pixels && waste >= least_waste)) continue;
    best = size;
    most_pixels = pixels;
    least_waste = waste;
  }
  return best;
}

ImageSize fitted_size(ImageSize image, ImageSize target) {
  const double scale_w = static_cast<double>(target.width) / image.width;
  const double scale_h = static_cast<double>(target.height) / image.height;
  if (scale_w < scale_h) {
    const auto height = static_cast<int32_t>(std::min<double>(std::ceil(image.height * scale_w), target.height));
    return {height, target.width};
  }
  return {target.height, static_cast<int32_t>(std::min<double>(std::ceil(image.width * scale_h), target.width))};
}

/// Python's int(round(value, 7)).
int32_t truncate_rounded(double value) { return static_cast<int32_t>(std::nearbyint(value * 1e7) / 1e7); }

/// The patches that show the picture: the padding is what its sides' ratio says, not what was drawn. Of a picture thinner than
/// a patch none may be left.
void keep_unpadded(ImageSize image, TileLayout& layout) {
  const double ratio = static_cast<double>(image.width) / image.height;
  if (ratio > static_cast<double>(layout.kept_w) / layout.kept_h) {
    const int32_t height = truncate_rounded(image.height * (static_cast<double>(layout.kept_w) / image.width));
    layout.kept_top = (layout.kept_h - height) / 2;
    layout.kept_h -= 2 * layout.kept_top;
  } else {
    const int32_t width = truncate_rounded(image.width * (static_cast<double>(layout.kept_h) / image.height));
    layout.kept_left = (layout.kept_w - width) / 2;
    layout.kept_w -= 2 * layout.kept_left;
  }
}

/// Python's // of floats.
int32_t floor_divide(double a, double b) {
  const double quotient = (a - std::fmod(a, b)) / b;
  const double floor = std::floor(quotient);
  return static_cast<int32_t>(quotient - floor > 0.5 ? floor + 1.0 : floor);
}

void shrink(int32_t max_tiles, int32_t side, TileLayout& layout) {
  const double ratio = std::sqrt(area(layout.kept_h, layout.kept_w) / (static_cast<double>(max_tiles) * area(side, side)));
  layout.packed_h = ratio > 1.1 ? floor_divide(layout.kept_h, ratio) : layout.kept_h;
  layout.packed_w = ratio > 1.1 ? floor_divide(layout.kept_w, ratio) : layout.kept_w;
}

void check_rules(const AnyresRules& rules) {
  bool is_good = rules.tile >= rules.patch_size && rules.patch_size >= 1 && rules.max_tiles >= 1 && !rules.pinpoints.empty();
  for (const ImageSize& size : rules.pinpoints) {
    is_good = is_good && size.height >= 1 && size.width >= 1 && size.height % rules.tile == 0 && size.width % rules.tile == 0;
  }
  if (!is_good) throw Error(ErrorCode::kInvalidArgument, "sizes to choose from must be multiples of the tile");
}

}  // namespace

ViewPlan plan_anyres(ImageSize image, const AnyresRules& rules) {
  check_rules(rules);
  if (image.height < 1 || image.width < 1) throw Error(ErrorCode::kInvalidMedia, "a picture without pixels");
  const ImageSize target = best_size(image, rules.pinpoints), tile{rules.tile, rules.tile};
  const ImageSize resized = fitted_size(image, target);
  const View whole = squashed_view(tile);
  const View tiled{resized, (target.height - resized.height) / 2, (target.width - resized.width) / 2, target, tile, {}};
  const int32_t side = rules.tile / rules.patch_size;
  TileLayout layout;
  layout.rows = target.height / rules.tile;
  layout.columns = target.width / rules.tile;
  layout.overview_h = layout.overview_w = side;
  layout.kept_h = layout.rows * side;
  layout.kept_w = layout.columns * side;
  keep_unpadded(image, layout);
  shrink(rules.max_tiles, side, layout);
  const bool is_shrunk_away = (layout.packed_h == 0) != (layout.kept_h == 0) || (layout.packed_w == 0) != (layout.kept_w == 0);
  if (is_shrunk_away) {
    throw Error(ErrorCode::kInvalidMedia, "a picture whose sides differ that much leaves nothing to see");
  }
  return {std::nullopt, {whole, tiled}, layout};
}

}  // namespace sensorium
