#include "media/row_resizer.h"

#include <algorithm>
#include <cstring>
#include <string>

#include "core/error.h"

namespace sensorium {
namespace {

constexpr int32_t kMaxSide = 65535;

void check_side(int32_t side, const char* name) {
  if (side >= 1 && side <= kMaxSide) return;
  throw Error(ErrorCode::kInvalidMedia,
              std::string(name) + " of " + std::to_string(side) + " pixels is outside [1, " + std::to_string(kMaxSide) + "]");
}

}  // namespace

RowResizer::RowResizer(int32_t in_width, int32_t in_height, int32_t out_width, int32_t out_height, ResizeFilter filter,
                       const MediaKernels& kernels)
    : kernels_(kernels),
      in_height_(in_height),
      in_row_bytes_(static_cast<size_t>(in_width) * 3),
      out_row_bytes_(static_cast<size_t>(out_width) * 3) {
  check_side(in_width, "image width");
  check_side(in_height, "image height");
  check_side(out_width, "resized width");
  check_side(out_height, "resized height");
  if (out_width != in_width) horizontal_ = make_resize_axis(in_width, out_width, filter);
  if (out_height != in_height) vertical_ = make_resize_axis(in_height, out_height, filter);
  if (horizontal_) {
    window_rows_ = std::min(vertical_ ? vertical_->max_taps : 1, in_height) + 2 * kStripRows;
    strip_in_ = Buffer(in_row_bytes_ * kStripRows);
    strip_out_ = Buffer(out_row_bytes_ * kStripRows);
    window_ = Buffer(out_row_bytes_ * window_rows_);
  }
  if (vertical_) row_ = Buffer(out_row_bytes_);
}

void RowResizer::start(const uint8_t* image) {
  image_ = image;
  window_begin_ = window_end_ = 0;
}

void RowResizer::add_strip(int32_t first_needed) {
  auto* window = static_cast<uint8_t*>(window_.data());
  if (window_end_ <= first_needed) {
    window_begin_ = window_end_ = first_needed;
  } else if (window_end_ - window_begin_ + kStripRows > window_rows_) {
    const auto dropped = static_cast<size_t>(first_needed - window_begin_) * out_row_bytes_;
    std::memmove(window, window + dropped, static_cast<size_t>(window_end_ - first_needed) * out_row_bytes_);
    window_begin_ = first_needed;
  }
  const int32_t num_rows = std::min(kStripRows, in_height_ - window_end_);
  auto* strip_in = static_cast<uint8_t*>(strip_in_.data());
  auto* strip_out = static_cast<uint8_t*>(strip_out_.data());
  kernels_.rows_to_columns(image_ + window_end_ * in_row_bytes_, in_row_bytes_, num_rows, in_row_bytes_, strip_in);
  constexpr size_t pixel_bytes = 3 * kStripRows;
  kernels_.weighted_sums(*horizontal_, 0, horizontal_->out_size, strip_in, 0, pixel_bytes, pixel_bytes, strip_out);
  uint8_t* destination = window + static_cast<size_t>(window_end_ - window_begin_) * out_row_bytes_;
  kernels_.columns_to_rows(strip_out, out_row_bytes_, num_rows, destination, out_row_bytes_);
  window_end_ += num_rows;
}

const uint8_t* RowResizer::horizontal_rows(int32_t first_needed, int32_t last_needed) {
  if (!horizontal_) return image_ + first_needed * in_row_bytes_;
  while (window_end_ <= last_needed) add_strip(first_needed);
  return static_cast<const uint8_t*>(window_.data()) + static_cast<size_t>(first_needed - window_begin_) * out_row_bytes_;
}

const uint8_t* RowResizer::row(int32_t y) {
  if (!vertical_) return horizontal_rows(y, y);
  const int32_t start = vertical_->starts[y];
  const uint8_t* rows = horizontal_rows(start, start + vertical_->num_taps[y] - 1);
  auto* out = static_cast<uint8_t*>(row_.data());
  kernels_.weighted_sums(*vertical_, y, y + 1, rows, start, out_row_bytes_, out_row_bytes_, out);
  return out;
}

}  // namespace sensorium
