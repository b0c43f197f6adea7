#pragma once

#include "models/llava/projected_vit.h"

namespace sensorium {

/// Rows of a picture: the overview's patches, then the tiles' as one large picture with a newline behind each line. Of one
/// among several pictures: its patches and a newline. Of a clip: each frame's patches pooled to half the side, a newline at
/// the end of all.
class OnevisionVision final : public MediaEncoder {
 public:
  /// Reads image_newline.
  OnevisionVision(ProjectedVit tower, WeightLoader& loader);

  int64_t width() const override { return tower_.width(); }
  int64_t num_rows(const ProcessedMedia& media) const override;
  Tensor encode(const ProcessedMedia& media, Arena& arena) const override;

 private:
  int64_t side() const { return tower_.config().patches_per_side(); }
  int64_t pooled_side() const { return (side() + 1) / 2; }
  void pack_tiles(ConstMatrix patches, const TileLayout& layout, Arena& arena, Matrix output) const;
  void pack_frames(ConstMatrix patches, Matrix output) const;
  void write_newline(float* row) const;

  Backend& backend_;
  ProjectedVit tower_;
  Tensor newline_;
};

}  // namespace sensorium
