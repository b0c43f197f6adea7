#include "models/vision/vision_tower.h"

#include <algorithm>

#include "core/error.h"
#include "ops/gather.h"

namespace sensorium {
namespace {

constexpr float kNormEps = 1e-6F;
constexpr double kRotaryTheta = 10000.0;
/// Bounds the activations of a video; a single larger frame goes through whole.
constexpr int64_t kMaxPatchesAtOnce = 4096;
/// Patches that are held as floats at once.
constexpr int64_t kExpandedPatches = 512;
constexpr int64_t kExpandedPatchesPerTask = 16;

std::vector<EncoderBlock> load_blocks(const VisionConfig& config, const WeightLoader& loader,
                                      VisionTower::BlockLoader load_block) {
  std::vector<EncoderBlock> blocks;
  for (int64_t i = 0; i < config.depth; ++i) {
    WeightLoader inner = loader.scope("blocks", i);
    blocks.push_back(load_block(inner, config));
  }
  return blocks;
}

/// `norm_size`: columns of a patch or of a whole group.
PatchMerger load_merger(const VisionConfig& config, WeightLoader loader, VisionTower::NormLoader load_norm, int64_t norm_size) {
  const int64_t group_size = config.merge_size * config.merge_size, inner = config.hidden_size * group_size;
  const MergerNames& names = config.merger_names;
  Norm norm = load_norm(loader, names.norm, norm_size, kNormEps);
  Linear up = Linear::load(loader, inner, {{names.up, inner, true}});
  Linear down = Linear::load(loader, inner, {{names.down, config.out_hidden_size, true}});
  return {std::move(norm), Mlp(std::move(up), std::move(down), Activation::kGeluErf), group_size};
}

std::vector<PatchMerger> load_deepstack_mergers(const VisionConfig& config, const WeightLoader& loader,
                                                VisionTower::NormLoader load_norm) {
  const int64_t group_columns = config.hidden_size * config.merge_size * config.merge_size;
  std::vector<PatchMerger> mergers;
  for (size_t i = 0; i < config.deepstack_blocks.size(); ++i) {
    const WeightLoader inner = loader.scope(config.deepstack_name, static_cast<int64_t>(i));
    mergers.push_back(load_merger(config, inner, load_norm, group_columns));
  }
  return mergers;
}

std::optional<PositionGrid> load_positions(const VisionConfig& config, WeightLoader& loader) {
  if (!config.position_side) return std::nullopt;
  return PositionGrid::load(loader, "pos_embed", *config.position_side, config.hidden_size);
}

Linear load_patch_embed(const VisionConfig& config, WeightLoader& loader) {
  const Shape shape{config.hidden_size, config.in_channels, config.temporal_patch_size, config.patch_size, config.patch_size};
  return {loader.flattened_kernel("patch_embed.proj", shape, config.has_patch_bias), config.hidden_size};
}

}  // namespace

VisionTower::VisionTower(const VisionConfig& config, WeightLoader loader, BlockLoader load_block, NormLoader load_norm)
    : config_(config),
      backend_(loader.backend()),
      rotary_(config.hidden_size / config.num_heads, kRotaryTheta),
      patch_embed_(load_patch_embed(config, loader)),
      positions_(load_positions(config, loader)),
      blocks_(load_blocks(config, loader, load_block)),
      merger_(load_merger(config, loader.scope("merger"), load_norm, config.hidden_size)),
      deepstack_mergers_(load_deepstack_mergers(config, loader, load_norm)) {}

int64_t VisionTower::num_rows(const ProcessedMedia& media) const {
  const int64_t t = media.grid_t, h = media.grid_h, w = media.grid_w;
  const Shape shape = media.input_shape();
  if (t < 1 || h < 1 || w < 1 || h % config_.merge_size != 0 || w % config_.merge_size != 0) {
    throw Error(ErrorCode::kInvalidMedia, "patch grid " + shape_to_string({t, h, w}) + " is empty or no multiple of " +
                                              std::to_string(config_.merge_size));
  }
  if (shape.size() != 2 || shape[1] != config_.patch_dim() || shape[0] % (h * w) != 0 || shape[0] / (h * w) != t) {
    throw Error(ErrorCode::kInvalidMedia, "patches have shape " + shape_to_string(shape) + ", expected " +
                                              std::to_string(config_.patch_dim()) +
                                              " columns and a row for each cell of grid " + shape_to_string({t, h, w}));
  }
  return shape[0] / (config_.merge_size * config_.merge_size);
}

Tensor VisionTower::encode(const ProcessedMedia& media, Arena& arena) const {
  Tensor output({num_rows(media), width()});
  const int64_t patches_per_frame = static_cast<int64_t>(media.grid_h) * media.grid_w;
  const int64_t rows_per_frame = output.shape()[0] / media.grid_t;
  const Matrix rows(output.data(), output.shape()[0], width());
  const auto frames_at_once = static_cast<int32_t>(std::max<int64_t>(1, kMaxPatchesAtOnce / patches_per_frame));
  for (int32_t begin = 0; begin < media.grid_t; begin += frames_at_once) {
    const int32_t count = std::min(frames_at_once, media.grid_t - begin);
    const PatchGrid grid{count, media.grid_h, media.grid_w, static_cast<int32_t>(config_.merge_size)};
    encode_frames(media, begin * patches_per_frame, plan_frames(grid, config_.window_cells), arena,
                  rows.row_range(begin * rows_per_frame, count * rows_per_frame));
  }
  return output;
}

void VisionTower::encode_frames(const ProcessedMedia& media, int64_t first_row, const FramePlan& plan, Arena& arena,
                                Matrix output) const {
  Arena::Scope scope(arena);
  const int64_t num_patches = output.rows * config_.merge_size * config_.merge_size;
  const Matrix hidden = arena.matrix(num_patches, config_.hidden_size);
  embed_in_plan_order(media, first_row, plan, arena, hidden);
  if (positions_) positions_->add(backend_, {plan.rows, plan.columns, media.grid_h, media.grid_w}, hidden);
  const Matrix cos = arena.matrix(num_patches, rotary_.num_frequencies());
  const Matrix sin = arena.matrix(num_patches, rotary_.num_frequencies());
  rotary_.fill(backend_, plan.rows, plan.columns, cos, sin);
  for (size_t i = 0; i < blocks_.size(); ++i) {
    blocks_[i].forward(backend_, arena, hidden, {cos, sin}, is_windowed(i) ? plan.window_bounds : plan.frame_bounds);
    merge_deepstack(i, hidden, plan, arena, output);
  }
  merge_patches(merger_, hidden, plan, arena, output.columns(0, merger_.num_columns()));
}

void VisionTower::merge_deepstack(size_t block, ConstMatrix hidden, const FramePlan& plan, Arena& arena, Matrix output) const {
  const int64_t columns = merger_.num_columns();
  for (size_t level = 0; level < deepstack_mergers_.size(); ++level) {
    if (config_.deepstack_blocks[level] != static_cast<int64_t>(block)) continue;
    merge_patches(deepstack_mergers_[level], hidden, plan, arena,
                  output.columns((1 + static_cast<int64_t>(level)) * columns, columns));
  }
}

void VisionTower::embed_patches(const ProcessedMedia& media, int64_t first_row, Arena& arena, Matrix hidden) const {
  if (media.patches.empty()) {
    const float* rows = media.features.data() + first_row * config_.patch_dim();
    return patch_embed_.forward(backend_, ConstMatrix(rows, hidden.rows, config_.patch_dim()), hidden);
  }
  Arena::Scope scope(arena);
  const Matrix expanded = arena.matrix(std::min(kExpandedPatches, hidden.rows), config_.patch_dim());
  for (int64_t done = 0; done < hidden.rows; done += expanded.rows) {
    const Matrix rows = expanded.row_range(0, std::min(expanded.rows, hidden.rows - done));
    backend_.thread_pool().parallel_for(rows.rows, kExpandedPatchesPerTask, [&](int64_t begin, int64_t end) {
      media.patches.expand(first_row + done + begin, rows.row_range(begin, end - begin));
    });
    patch_embed_.forward(backend_, rows, hidden.row_range(done, rows.rows));
  }
}

void VisionTower::embed_in_plan_order(const ProcessedMedia& media, int64_t first_row, const FramePlan& plan, Arena& arena,
                                      Matrix hidden) const {
  if (plan.cell_order.empty()) return embed_patches(media, first_row, arena, hidden);
  Arena::Scope scope(arena);
  const Matrix embedded = arena.matrix(hidden.rows, hidden.cols);
  embed_patches(media, first_row, arena, embedded);
  ops::gather_rows(backend_, embedded, plan.cell_order, config_.merge_size * config_.merge_size, hidden);
}

void VisionTower::merge_patches(const PatchMerger& merger, ConstMatrix hidden, const FramePlan& plan, Arena& arena,
                                Matrix output) const {
  if (plan.cell_order.empty()) return merger.forward(backend_, arena, hidden, output);
  Arena::Scope scope(arena);
  const Matrix merged = arena.matrix(output.rows, output.cols);
  merger.forward(backend_, arena, hidden, merged);
  ops::scatter_rows(backend_, merged, plan.cell_order, 1, output);
}

bool VisionTower::is_windowed(size_t block) const {
  const std::vector<int64_t>& full = config_.full_attention_blocks;
  return config_.window_cells && std::find(full.begin(), full.end(), static_cast<int64_t>(block)) == full.end();
}

}  // namespace sensorium
