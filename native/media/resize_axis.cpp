#include "media/resize_axis.h"

#include <algorithm>
#include <cmath>
#include <numbers>

#include "core/error.h"

namespace sensorium {
namespace {

double bilinear(double x) {
  x = std::fabs(x);
  return x < 1.0 ? 1.0 - x : 0.0;
}

double bicubic(double x) {
  constexpr double a = -0.5;
  x = std::fabs(x);
  if (x < 1.0) return ((a + 2.0) * x - (a + 3.0)) * x * x + 1;
  if (x < 2.0) return (((x - 5) * x + 8) * x - 4) * a;
  return 0.0;
}

double sinc(double x) {
  if (x == 0.0) return 1.0;
  x *= std::numbers::pi;
  return std::sin(x) / x;
}

double lanczos(double x) { return -3.0 <= x && x < 3.0 ? sinc(x) * sinc(x / 3) : 0.0; }

struct Kernel {
  double (*weight)(double);
  double support;  ///< half width in output pixels
};

Kernel kernel_of(ResizeFilter filter) {
  switch (filter) {
    case ResizeFilter::kBilinear:
      return {bilinear, 1.0};
    case ResizeFilter::kBicubic:
      return {bicubic, 2.0};
    case ResizeFilter::kLanczos:
      return {lanczos, 3.0};
  }
  throw Error(ErrorCode::kInvalidArgument, "unknown resize filter");
}

int32_t to_fixed_point(double weight) {
  constexpr double one = 1 << kResizeWeightBits;
  return static_cast<int32_t>(weight < 0 ? -0.5 + weight * one : 0.5 + weight * one);
}

int32_t pack_pair(int32_t even, int32_t odd) {
  return static_cast<int32_t>((static_cast<uint32_t>(even) & 0xffffU) | (static_cast<uint32_t>(odd) << 16));
}

void fill_pairs(ResizeAxis& axis) {
  constexpr int32_t low_mask = (1 << kResizeLowBits) - 1;
  axis.max_pairs = (axis.max_taps + 1) / 2;
  axis.high_pairs.assign(static_cast<size_t>(axis.out_size) * axis.max_pairs, 0);
  axis.low_pairs.assign(axis.high_pairs.size(), 0);
  for (int32_t i = 0; i < axis.out_size; ++i) {
    const int32_t* weights = &axis.weights[static_cast<size_t>(i) * axis.max_taps];
    for (int32_t k = 0; k < axis.num_taps[i]; k += 2) {
      const int32_t even = weights[k];
      const int32_t odd = k + 1 < axis.num_taps[i] ? weights[k + 1] : 0;
      const size_t pair = static_cast<size_t>(i) * axis.max_pairs + k / 2;
      axis.high_pairs[pair] = pack_pair(even >> kResizeLowBits, odd >> kResizeLowBits);
      axis.low_pairs[pair] = pack_pair(even & low_mask, odd & low_mask);
    }
  }
}

}  // namespace

ResizeAxis make_resize_axis(int32_t in_size, int32_t out_size, ResizeFilter filter) {
  const Kernel kernel = kernel_of(filter);
  const double scale = static_cast<double>(in_size) / out_size;
  const double filter_scale = std::max(scale, 1.0);
  const double support = kernel.support * filter_scale;
  ResizeAxis axis;
  axis.in_size = in_size;
  axis.out_size = out_size;
  axis.max_taps = static_cast<int32_t>(std::ceil(support)) * 2 + 1;
  axis.starts.resize(out_size);
  axis.num_taps.resize(out_size);
  axis.weights.assign(static_cast<size_t>(out_size) * axis.max_taps, 0);
  std::vector<double> raw(axis.max_taps);
  for (int32_t i = 0; i < out_size; ++i) {
    const double center = (i + 0.5) * scale;
    const int32_t start = std::max(0, static_cast<int32_t>(center - support + 0.5));
    const int32_t end = std::min(in_size, static_cast<int32_t>(center + support + 0.5));
    const double inverse_scale = 1.0 / filter_scale;
    double sum = 0.0;
    for (int32_t k = 0; k < end - start; ++k) {
      raw[k] = kernel.weight((k + start - center + 0.5) * inverse_scale);
      sum += raw[k];
    }
    axis.starts[i] = start;
    axis.num_taps[i] = end - start;
    for (int32_t k = 0; k < end - start; ++k) {
      axis.weights[static_cast<size_t>(i) * axis.max_taps + k] = to_fixed_point(sum != 0.0 ? raw[k] / sum : raw[k]);
    }
  }
  fill_pairs(axis);
  return axis;
}

}  // namespace sensorium
