#pragma once

#include "models/media_encoder.h"
#include "models/minicpm_v/resampler.h"
#include "models/vit/vit.h"

namespace sensorium {

/// What `config`, a whole config.json, says of the tower and of the resampler. Both throw kInvalidCheckpoint.
VitConfig read_minicpm_tower(const ConfigSection& config);
Resampler::Size read_resampler_size(const ConfigSection& config, int64_t vision_width, int64_t text_width);

/// As many rows for the whole picture and for each of its slices as the resampler has queries.
class MinicpmVision final : public MediaEncoder {
 public:
  /// Reads `vision_tower` and `resampler`.
  MinicpmVision(const VitConfig& tower, const Resampler::Size& resampler, WeightLoader& loader);

  int64_t width() const override { return resampler_.size().text_width; }
  int64_t num_rows(const ProcessedMedia& media) const override;
  Tensor encode(const ProcessedMedia& media, Arena& arena) const override;

 private:
  /// Pictures of one patch grid.
  struct Group {
    int64_t first_row = 0, num_pictures = 0, height = 0, width = 0;
  };
  void encode_group(const ProcessedMedia& media, const Group& group, Arena& arena, Matrix output) const;

  Vit vit_;
  Resampler resampler_;
};

}  // namespace sensorium
