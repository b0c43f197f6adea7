#pragma once

#include "layers/mlp.h"
#include "models/media_encoder.h"
#include "models/vit/vit.h"

namespace sensorium {

/// The tower that `config`, a whole config.json, names. Throws kInvalidCheckpoint, kUnsupportedArchitecture.
VitConfig read_phi3_tower(const ConfigSection& config);

/// Rows of a picture: the tiles as one large picture of 2 x 2 patches a cell with a separator behind each line, one global
/// separator, then the overview in the same way; all of them projected.
class Phi3Vision final : public MediaEncoder {
 public:
  /// Reads `vision_tower` and model.vision_embed_tokens.{sub_GN, glb_GN, img_projection.{0, 2}}.
  Phi3Vision(const VitConfig& tower, int64_t text_width, WeightLoader& loader);

  int64_t width() const override { return projector_.num_columns(); }
  int64_t num_rows(const ProcessedMedia& media) const override;
  Tensor encode(const ProcessedMedia& media, Arena& arena) const override;

 private:
  int64_t cells_per_side() const { return vit_.config().patches_per_side() / 2; }
  int64_t cell_width() const { return 4 * vit_.config().hidden_size; }
  /// Lines of cells of `rows` x `columns` pictures that lie side by side; returns how many rows of output it took.
  int64_t write_lines(ConstMatrix patches, int64_t rows, int64_t columns, Matrix output) const;

  Backend& backend_;
  Vit vit_;
  Tensor line_separator_, global_separator_;  ///< [cell_width]
  Mlp projector_;
};

}  // namespace sensorium
