#include "media/interpolate.h"

#include <algorithm>
#include <array>
#include <cmath>

namespace sensorium {
namespace {

constexpr float kA = -0.75F;

struct Taps {
  std::array<int32_t, 4> places;
  std::array<float, 4> weights;
};

float near_weight(float x) { return ((kA + 2.0F) * x - (kA + 3.0F)) * x * x + 1.0F; }
float far_weight(float x) { return ((kA * x - 5.0F * kA) * x + 8.0F * kA) * x - 4.0F * kA; }

std::vector<Taps> taps_of(int32_t from, int32_t to) {
  const float scale = static_cast<float>(from) / static_cast<float>(to);
  std::vector<Taps> all(static_cast<size_t>(to));
  for (int32_t i = 0; i < to; ++i) {
    const float center = scale * (static_cast<float>(i) + 0.5F) - 0.5F;
    const float floor = std::floor(center), t = center - floor;
    Taps& taps = all[static_cast<size_t>(i)];
    for (int32_t k = 0; k < 4; ++k) {
      taps.places[static_cast<size_t>(k)] = std::clamp(static_cast<int32_t>(floor) + k - 1, 0, from - 1);
    }
    taps.weights = {far_weight(t + 1.0F), near_weight(t), near_weight(1.0F - t), far_weight(2.0F - t)};
  }
  return all;
}

}  // namespace

std::vector<float> interpolate_bicubic(const RgbView& image, const LevelTable& values, ImageSize size) {
  const std::vector<Taps> rows = taps_of(image.height, size.height), columns = taps_of(image.width, size.width);
  const auto width = static_cast<size_t>(size.width), plane = static_cast<size_t>(size.height) * width;
  std::vector<float> out(3 * plane);
  for (size_t y = 0; y < rows.size(); ++y) {
    for (size_t x = 0; x < width; ++x) {
      for (size_t c = 0; c < 3; ++c) {
        float sum = 0.0F;
        for (size_t i = 0; i < 4; ++i) {
          const uint8_t* row = image.data + static_cast<int64_t>(rows[y].places[i]) * image.width * 3 + c;
          float across = 0.0F;
          for (size_t j = 0; j < 4; ++j) across += columns[x].weights[j] * values[c][row[3 * columns[x].places[j]]];
          sum += rows[y].weights[i] * across;
        }
        out[c * plane + y * width + x] = sum;
      }
    }
  }
  return out;
}

}  // namespace sensorium
