#include "media/smart_resize.h"

#include <algorithm>
#include <cmath>
#include <string>

#include "core/error.h"

namespace sensorium {
namespace {

constexpr int32_t kMaxSide = 1 << 20;
constexpr int64_t kMaxLimit = int64_t{1} << 40;
constexpr double kMaxAspectRatio = 200.0;

void check_limits(int32_t factor, int64_t min_pixels, int64_t max_pixels) {
  if (factor >= 1 && factor <= kMaxSide && min_pixels >= 1 && max_pixels >= min_pixels && max_pixels <= kMaxLimit) return;
  throw Error(ErrorCode::kInvalidArgument, "factor, min_pixels and max_pixels must be positive, min_pixels <= max_pixels");
}

void check_size(int32_t height, int32_t width) {
  const std::string size = std::to_string(width) + " x " + std::to_string(height) + " pixels";
  const auto [small, large] = std::minmax(height, width);
  if (small < 1 || large > kMaxSide) throw Error(ErrorCode::kInvalidMedia, "a picture of " + size);
  if (static_cast<double>(large) / small > kMaxAspectRatio) {
    throw Error(ErrorCode::kInvalidMedia, "a picture of " + size + ": the aspect ratio exceeds 200");
  }
}

/// Python's round(x / factor) * factor: halves go to even.
int32_t round_to(double value, int32_t factor) { return static_cast<int32_t>(std::nearbyint(value / factor)) * factor; }

/// Shrinks or enlarges to the limits; `bar` holds the rounded sides, num_pixels their (rounded) count.
ImageSize limit(int32_t height, int32_t width, ImageSize bar, double num_raw_pixels, int64_t num_pixels, int32_t factor,
                int64_t min_pixels, int64_t max_pixels) {
  if (num_pixels > max_pixels) {
    const double beta = std::sqrt(num_raw_pixels / static_cast<double>(max_pixels));
    const auto shrink = [&](int32_t side) {
      return std::max(factor, static_cast<int32_t>(std::floor(side / beta / factor)) * factor);
    };
    return {shrink(height), shrink(width)};
  }
  if (num_pixels < min_pixels) {
    const double beta = std::sqrt(static_cast<double>(min_pixels) / num_raw_pixels);
    const auto enlarge = [&](int32_t side) { return static_cast<int32_t>(std::ceil(side * beta / factor)) * factor; };
    return {enlarge(height), enlarge(width)};
  }
  return bar;
}

}  // namespace

ImageSize smart_resize(int32_t height, int32_t width, int32_t factor, int64_t min_pixels, int64_t max_pixels) {
  check_limits(factor, min_pixels, max_pixels);
  check_size(height, width);
  const ImageSize bar{round_to(height, factor), round_to(width, factor)};
  const double num_raw_pixels = static_cast<double>(height) * width;
  return limit(height, width, bar, num_raw_pixels, static_cast<int64_t>(bar.height) * bar.width, factor, min_pixels,
               max_pixels);
}

ImageSize smart_resize_video(int32_t num_frames, int32_t height, int32_t width, int32_t temporal_factor, int32_t factor,
                             int64_t min_pixels, int64_t max_pixels) {
  check_limits(factor, min_pixels, max_pixels);
  if (num_frames < 1 || num_frames > kMaxSide || temporal_factor < 1 || temporal_factor > kMaxSide) {
    throw Error(ErrorCode::kInvalidMedia, "a video of " + std::to_string(num_frames) + " frames");
  }
  check_size(height, width);
  if (height < factor || width < factor) {
    const double scale = std::max(static_cast<double>(factor) / height, static_cast<double>(factor) / width);
    height = static_cast<int32_t>(height * scale);
    width = static_cast<int32_t>(width * scale);
  }
  const ImageSize bar{round_to(height, factor), round_to(width, factor)};
  const int64_t num_rounded_frames = round_to(num_frames, temporal_factor);
  const double num_raw_pixels = static_cast<double>(num_frames) * height * width;
  return limit(height, width, bar, num_raw_pixels, num_rounded_frames * bar.height * bar.width, factor, min_pixels, max_pixels);
}

}  // namespace sensorium
