#include "media/resize.h"

#include <cstring>

#include "core/error.h"
#include "media/row_resizer.h"

namespace sensorium {

void resize_rgb(const RgbView& image, int32_t out_width, int32_t out_height, ResizeFilter filter, uint8_t* out) {
  if (image.data == nullptr || out == nullptr) throw Error(ErrorCode::kInvalidMedia, "an image without pixels");
  RowResizer resizer(image.width, image.height, out_width, out_height, filter);
  resizer.start(image.data);
  const size_t row_bytes = static_cast<size_t>(out_width) * 3;
  for (int32_t y = 0; y < out_height; ++y) std::memcpy(out + y * row_bytes, resizer.row(y), row_bytes);
}

}  // namespace sensorium
