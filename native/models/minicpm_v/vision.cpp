#include "models/minicpm_v/vision.h"

#include <algorithm>
#include <vector>

#include "core/error.h"

namespace sensorium {
namespace {

constexpr int64_t kHeadDim = 128;
constexpr int64_t kMaxQueries = 1 << 16;
/// Slices whose patches are held at once.
constexpr int64_t kMaxPatchesAtOnce = 8192;

/// Rows of a square table of positions: its cells are shared out evenly among a picture's patches.
std::vector<int32_t> spread_positions(int64_t height, int64_t width, int64_t side) {
  std::vector<int32_t> positions;
  for (int64_t y = 0; y < height; ++y) {
    for (int64_t x = 0; x < width; ++x) {
      positions.push_back(static_cast<int32_t>(y * side / height * side + x * side / width));
    }
  }
  return positions;
}

}  // namespace

VitConfig read_minicpm_tower(const ConfigSection& config) {
  VitConfig tower = read_vit_config(config.section("vision_config"), siglip_defaults());
  if (config.flag({"drop_vision_last_layer"}, false)) tower.feature_depths = {tower.num_layers - 1};
  tower.has_final_norm = true;
  return tower;
}

Resampler::Size read_resampler_size(const ConfigSection& config, int64_t vision_width, int64_t text_width) {
  if (text_width % kHeadDim != 0) config.fail("hidden_size", "is no multiple of 128, the width of the resampler's heads");
  return {config.count({"query_num"}, 64, kMaxQueries), vision_width, text_width};
}

MinicpmVision::MinicpmVision(const VitConfig& tower, const Resampler::Size& resampler, WeightLoader& loader)
    : vit_(tower, loader.scope("vision_tower")), resampler_(resampler, loader.scope("resampler")) {}

int64_t MinicpmVision::num_rows(const ProcessedMedia& media) const {
  const Shape shape = media.input_shape();
  const bool is_laid_out = media.modality == Modality::kImage && media.tiles && media.tiles->rows >= 0 &&
                           media.tiles->columns >= 0 && media.tiles->overview_h >= 1 && media.tiles->overview_w >= 1 &&
                           media.grid_h >= 1 && media.grid_w >= 1;
  if (is_laid_out && shape.size() == 2 && shape[1] == vit_.patch_dim()) {
    const int64_t num_tiles = media.tiles->num_tiles();
    const int64_t num_patches =
        int64_t{media.tiles->overview_h} * media.tiles->overview_w + num_tiles * media.grid_h * media.grid_w;
    if (shape[0] == num_patches) return (1 + num_tiles) * resampler_.size().num_queries;
  }
  throw Error(ErrorCode::kInvalidMedia, "patches of shape " + shape_to_string(shape) + " do not fill a picture and its slices");
}

Tensor MinicpmVision::encode(const ProcessedMedia& media, Arena& arena) const {
  Tensor output({num_rows(media), width()});
  const Matrix rows(output.data(), output.shape()[0], width());
  const int64_t num_queries = resampler_.size().num_queries;
  const Group whole{0, 1, media.tiles->overview_h, media.tiles->overview_w};
  encode_group(media, whole, arena, rows.row_range(0, num_queries));
  const int64_t slice_rows = int64_t{media.grid_h} * media.grid_w;
  const int64_t slices_at_once = std::max<int64_t>(1, kMaxPatchesAtOnce / slice_rows);
  for (int64_t begin = 0; begin < media.tiles->num_tiles(); begin += slices_at_once) {
    const int64_t count = std::min<int64_t>(slices_at_once, media.tiles->num_tiles() - begin);
    const Group slices{whole.height * whole.width + begin * slice_rows, count, media.grid_h, media.grid_w};
    encode_group(media, slices, arena, rows.row_range((1 + begin) * num_queries, count * num_queries));
  }
  return output;
}

void MinicpmVision::encode_group(const ProcessedMedia& media, const Group& group, Arena& arena, Matrix output) const {
  Arena::Scope scope(arena);
  const int64_t num_patches = group.height * group.width, num_queries = resampler_.size().num_queries;
  const std::vector<int32_t> positions = spread_positions(group.height, group.width, vit_.config().patches_per_side());
  const Matrix patches = arena.matrix(group.num_pictures * num_patches, vit_.config().hidden_size);
  vit_.forward({media, group.first_row, group.num_pictures, positions}, arena, patches);
  for (int64_t i = 0; i < group.num_pictures; ++i) {
    resampler_.forward(patches.row_range(i * num_patches, num_patches), group.height, group.width, arena,
                       output.row_range(i * num_queries, num_queries));
  }
}

}  // namespace sensorium
