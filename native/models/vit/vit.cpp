#include "models/vit/vit.h"

#include <algorithm>
#include <numeric>

#include "core/error.h"
#include "ops/elementwise.h"
#include "ops/parallel_rows.h"

namespace sensorium {
namespace {

/// Bounds the activations of many tiles; a single larger picture goes through whole.
constexpr int64_t kMaxRowsAtOnce = 4096;

EncoderBlock load_block(WeightLoader loader, const VitConfig& config) {
  const int64_t width = config.hidden_size, inner = config.intermediate_size;
  Norm attention_norm = Norm::layer(loader, "layer_norm1", width, config.norm_eps);
  Linear qkv = Linear::load(
      loader, width, {{"self_attn.q_proj", width, true}, {"self_attn.k_proj", width, true}, {"self_attn.v_proj", width, true}});
  Linear attention_out = Linear::load(loader, width, {{"self_attn.out_proj", width, true}});
  Norm mlp_norm = Norm::layer(loader, "layer_norm2", width, config.norm_eps);
  Linear up = Linear::load(loader, width, {{"mlp.fc1", inner, true}});
  Linear down = Linear::load(loader, inner, {{"mlp.fc2", width, true}});
  return EncoderBlock({std::move(attention_norm), std::move(qkv), std::move(attention_out), std::move(mlp_norm),
                       Mlp(std::move(up), std::move(down), config.activation), config.num_heads});
}

std::vector<EncoderBlock> load_blocks(const VitConfig& config, const WeightLoader& loader) {
  const int64_t depth = *std::max_element(config.feature_depths.begin(), config.feature_depths.end());
  std::vector<EncoderBlock> blocks;
  for (int64_t i = 0; i < depth; ++i) blocks.push_back(load_block(loader.scope("encoder.layers", i), config));
  for (int64_t i = depth; i < config.num_layers; ++i) loader.ignore("encoder.layers." + std::to_string(i) + ".");
  return blocks;
}

Shape kernel_shape(const VitConfig& config) {
  return {config.hidden_size, config.num_channels, config.patch_size, config.patch_size};
}

}  // namespace

Vit::Vit(const VitConfig& config, WeightLoader loader)
    : config_(config),
      backend_(loader.backend()),
      patch_embedding_(PatchEmbedding::load(loader, "embeddings.patch_embedding", kernel_shape(config), !config.is_clip)),
      positions_(loader.tensor("embeddings.position_embedding.weight", {config.num_positions(), config.hidden_size})),
      blocks_(load_blocks(config, loader)) {
  if (config.is_clip) {
    class_token_ = loader.vector("embeddings.class_embedding", config.hidden_size);
    pre_norm_.emplace(Norm::layer(loader, "pre_layrnorm", config.hidden_size, config.norm_eps));
  }
  if (config.has_final_norm) {
    final_norm_.emplace(Norm::layer(loader, "post_layernorm", config.hidden_size, config.norm_eps));
  }
  for (const char* unused : {"post_layernorm.", "head."}) loader.ignore(unused);
}

int64_t Vit::count_pictures(const ProcessedMedia& media) const {
  const Shape shape = media.input_shape();
  const int64_t side = config_.patches_per_side();
  const bool is_fitting = media.grid_t >= 1 && media.grid_h == side && media.grid_w == side && shape.size() == 2 &&
                          shape[0] == media.grid_t * side * side && shape[1] == patch_embedding_.patch_dim();
  if (is_fitting) return media.grid_t;
  throw Error(ErrorCode::kInvalidMedia, "patches of shape " + shape_to_string(shape) + " in a grid " +
                                            shape_to_string({media.grid_t, media.grid_h, media.grid_w}) +
                                            ", expected pictures of " + std::to_string(side) + " x " + std::to_string(side) +
                                            " patches of " + std::to_string(patch_embedding_.patch_dim()) + " numbers");
}

void Vit::forward(const ProcessedMedia& media, Arena& arena, Matrix output) const {
  std::vector<int32_t> positions(static_cast<size_t>(config_.num_patches()));
  std::iota(positions.begin(), positions.end(), 0);
  forward({media, 0, count_pictures(media), positions}, arena, output);
}

void Vit::forward(const VitInput& input, Arena& arena, Matrix output) const {
  const auto num_patches = static_cast<int64_t>(input.positions.size());
  const int64_t rows_per_picture = output.rows / input.num_pictures;
  const int64_t pictures_at_once = std::max<int64_t>(1, kMaxRowsAtOnce / (num_patches + 1));
  for (int64_t begin = 0; begin < input.num_pictures; begin += pictures_at_once) {
    const int64_t count = std::min(pictures_at_once, input.num_pictures - begin);
    forward_group({input.media, input.first_row + begin * num_patches, count, input.positions}, arena,
                  output.row_range(begin * rows_per_picture, count * rows_per_picture));
  }
}

void Vit::forward_group(const VitInput& input, Arena& arena, Matrix output) const {
  Arena::Scope scope(arena);
  const int64_t rows_per_picture = static_cast<int64_t>(input.positions.size()) + (config_.is_clip ? 1 : 0);
  const Matrix hidden = arena.matrix(input.num_pictures * rows_per_picture, config_.hidden_size);
  embed(input, arena, hidden);
  if (pre_norm_) pre_norm_->forward(backend_, hidden, hidden);
  std::vector<int32_t> bounds;
  for (int64_t i = 0; i <= input.num_pictures; ++i) bounds.push_back(static_cast<int32_t>(i * rows_per_picture));
  store_depth(0, hidden, input.num_pictures, output);
  for (size_t i = 0; i < blocks_.size(); ++i) {
    blocks_[i].forward(backend_, arena, hidden, {}, bounds);
    store_depth(static_cast<int64_t>(i) + 1, hidden, input.num_pictures, output);
  }
}

void Vit::embed(const VitInput& input, Arena& arena, Matrix hidden) const {
  Arena::Scope scope(arena);
  const auto num_patches = static_cast<int64_t>(input.positions.size());
  const int64_t first = config_.is_clip ? 1 : 0;
  const Matrix patches = arena.matrix(input.num_pictures * num_patches, config_.hidden_size);
  patch_embedding_.forward(backend_, arena, input.media, input.first_row, patches);
  ops::for_each_row(backend_, hidden.rows, hidden.cols, [&](int64_t r) {
    const int64_t picture = r / (num_patches + first), token = r % (num_patches + first);
    const bool is_patch = token >= first;
    const int64_t place = is_patch ? first + input.positions[static_cast<size_t>(token - first)] : 0;
    const float* from = is_patch ? patches.row(picture * num_patches + token - first) : class_token_.data();
    const float* position = positions_.data() + place * hidden.cols;
    for (int64_t c = 0; c < hidden.cols; ++c) hidden.row(r)[c] = from[c] + position[c];
  });
}

void Vit::store_depth(int64_t depth, ConstMatrix hidden, int64_t num_pictures, Matrix output) const {
  const int64_t from_rows = hidden.rows / num_pictures, to_rows = output.rows / num_pictures;
  for (size_t i = 0; i < config_.feature_depths.size(); ++i) {
    if (config_.feature_depths[i] != depth) continue;
    const Matrix columns = output.columns(static_cast<int64_t>(i) * config_.hidden_size, config_.hidden_size);
    for (int64_t p = 0; p < num_pictures; ++p) {
      const Matrix to = columns.row_range(p * to_rows, to_rows);
      ops::copy(backend_, hidden.row_range((p + 1) * from_rows - to_rows, to_rows), to);
      if (final_norm_) final_norm_->forward(backend_, to, to);
    }
  }
}

}  // namespace sensorium
