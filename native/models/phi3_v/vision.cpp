#include "models/phi3_v/vision.h"

#include <algorithm>
#include <string>

#include "core/error.h"
#include "ops/parallel_rows.h"

namespace sensorium {
namespace {

void check_embedding_layer(const ConfigSection& config) {
  const ConfigSection layer = config.section("embd_layer");
  const bool is_known = layer.flag({"use_hd_transform"}, true) && layer.flag({"with_learnable_separator"}, true) &&
                        layer.text({"hd_transform_order"}, "sub_glb") == "sub_glb" &&
                        layer.text({"projection_cls"}, "mlp") == "mlp";
  if (!is_known) {
    config.fail_unsupported("embd_layer",
                            "expected the HD transform in the order sub_glb with learned separators and an MLP behind it");
  }
}

Mlp load_projector(int64_t cell_width, int64_t text_width, WeightLoader loader) {
  Linear up = Linear::load(loader, cell_width, {{"0", text_width, true}});
  Linear down = Linear::load(loader, text_width, {{"2", text_width, true}});
  return {std::move(up), std::move(down), Activation::kGeluErf};
}

}  // namespace

/// config.json names the tower, ViT-L/14-336, without its sizes; where `clip_config` has them, they count.
VitConfig read_phi3_tower(const ConfigSection& config) {
  check_embedding_layer(config);
  const ConfigSection processor = config.section("img_processor");
  VitConfig defaults = clip_defaults();
  defaults.hidden_size = 1024;
  defaults.intermediate_size = 4096;
  defaults.num_layers = 24;
  defaults.num_heads = 16;
  defaults.image_size = 336;
  defaults.patch_size = 14;
  VitConfig tower = read_vit_config(processor.section("clip_config"), defaults);
  select_features(processor, "layer_idx", -2, tower);
  if (processor.count({"image_dim_out"}, tower.hidden_size, kMaxWidth) != tower.output_width()) {
    processor.fail("image_dim_out", "differs from the tower's width");
  }
  if (processor.text({"type_feature"}, "patch") != "patch") {
    processor.fail_unsupported("type_feature", "only \"patch\" is supported");
  }
  if (tower.patches_per_side() % 2 != 0) processor.fail("clip_config", "its patches do not form cells of 2 x 2");
  return tower;
}

Phi3Vision::Phi3Vision(const VitConfig& tower, int64_t text_width, WeightLoader& loader)
    : backend_(loader.backend()),
      vit_(tower, loader.scope("vision_tower")),
      line_separator_(loader.tensor("model.vision_embed_tokens.sub_GN", {1, 1, 1, cell_width()})),
      global_separator_(loader.tensor("model.vision_embed_tokens.glb_GN", {1, 1, cell_width()})),
      projector_(load_projector(cell_width(), text_width, loader.scope("model.vision_embed_tokens.img_projection"))) {
  loader.ignore("model.vision_embed_tokens.wte.");  // the embedding table once more
}

int64_t Phi3Vision::num_rows(const ProcessedMedia& media) const {
  const int64_t num_pictures = vit_.count_pictures(media), side = cells_per_side();
  if (!media.tiles || media.tiles->rows < 1 || media.tiles->columns < 1 || media.tiles->num_tiles() + 1 != num_pictures) {
    throw Error(ErrorCode::kInvalidMedia, "the layout of a picture's tiles does not agree with their number");
  }
  return num_pictures * side * side + 1 + (media.tiles->rows + 1) * side;
}

Tensor Phi3Vision::encode(const ProcessedMedia& media, Arena& arena) const {
  Tensor output({num_rows(media), width()});
  Arena::Scope scope(arena);
  const int64_t num_patches = vit_.config().num_patches();
  const Matrix patches = arena.matrix(media.grid_t * num_patches, vit_.config().hidden_size);
  vit_.forward(media, arena, patches);
  const Matrix cells = arena.matrix(output.shape()[0], cell_width());
  int64_t done =
      write_lines(patches.row_range(num_patches, patches.rows - num_patches), media.tiles->rows, media.tiles->columns, cells);
  std::copy_n(global_separator_.data(), cell_width(), cells.row(done++));
  write_lines(patches.row_range(0, num_patches), 1, 1, cells.row_range(done, cells.rows - done));
  projector_.forward(backend_, arena, cells, Matrix(output.data(), output.shape()[0], width()));
  return output;
}

int64_t Phi3Vision::write_lines(ConstMatrix patches, int64_t rows, int64_t columns, Matrix output) const {
  const int64_t side = cells_per_side(), patch_side = 2 * side, patch_width = patches.cols;
  const int64_t line = columns * side + 1, num_rows = rows * side * line;
  ops::for_each_row(backend_, num_rows, cell_width(), [&](int64_t r) {
    const int64_t y = r / line, x = r % line;
    float* to = output.row(r);
    if (x == line - 1) {
      std::copy_n(line_separator_.data(), cell_width(), to);
      return;
    }
    const int64_t tile = y / side * columns + x / side;
    for (int64_t i = 0; i < 4; ++i, to += patch_width) {
      const int64_t patch_y = 2 * (y % side) + i / 2, patch_x = 2 * (x % side) + i % 2;
      std::copy_n(patches.row((tile * patch_side + patch_y) * patch_side + patch_x), patch_width, to);
    }
  });
  return num_rows;
}

}  // namespace sensorium
