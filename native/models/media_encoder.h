#pragma once

#include "core/arena.h"
#include "core/media_input.h"

namespace sensorium {

/// Turns processed media of some modalities into rows of the language model's width.
class MediaEncoder {
 public:
  virtual ~MediaEncoder() = default;
  /// Columns of a row.
  virtual int64_t width() const = 0;
  /// Rows that encode() yields for media with features. Throws kInvalidMedia on shapes that the encoder does not read.
  virtual int64_t num_rows(const ProcessedMedia& media) const = 0;
  /// [num_rows, width].
  virtual Tensor encode(const ProcessedMedia& media, Arena& arena) const = 0;
};

}  // namespace sensorium
