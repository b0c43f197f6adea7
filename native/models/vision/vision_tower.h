#pragma once

#include <optional>
#include <vector>

#include "layers/encoder_block.h"
#include "layers/patch_merger.h"
#include "layers/position_grid.h"
#include "layers/rotary.h"
#include "models/config_section.h"
#include "models/media_encoder.h"
#include "models/vision/frame_plan.h"

namespace sensorium {

/// Names of a merger's tensors in its scope.
struct MergerNames {
  std::string_view norm = "ln_q", up = "mlp.0", down = "mlp.2";
};

/// Sizes that the vision towers of the Qwen families share.
struct VisionConfig {
  int64_t depth = 32;
  int64_t hidden_size = 0;
  int64_t num_heads = 16;
  int64_t intermediate_size = 0;
  int64_t out_hidden_size = 0;  ///< width of the language model
  int64_t in_channels = 3;
  int64_t patch_size = 14;
  int64_t temporal_patch_size = 2;
  int64_t merge_size = 2;
  Activation activation = Activation::kNone;
  std::optional<int32_t> window_cells;  ///< merged cells along a window's side; absent: every block attends to whole frames
  std::vector<int64_t> full_attention_blocks;  ///< with windows: blocks that attend to whole frames all the same
  bool has_patch_bias = false;
  std::optional<int64_t> position_side;   ///< learned positions along a side of their table; absent: none are learned
  std::vector<int64_t> deepstack_blocks;  ///< blocks whose output is merged too, in the order of the deepstack levels
  MergerNames merger_names;
  std::string_view deepstack_name = "deepstack_merger_list";  ///< scope of the deepstack mergers

  int64_t patch_dim() const { return in_channels * temporal_patch_size * patch_size * patch_size; }
};

/// Reads the keys that all of them have, over the class defaults `defaults`. Throws kInvalidCheckpoint.
VisionConfig read_vision_config(const ConfigSection& section, VisionConfig defaults);

/// Vision transformer of the Qwen2-VL kind: patches, learned positions maybe, blocks with 2-D RoPE that attend inside a frame
/// or its windows, merger. A row is the merger's, then that of each deepstack level.
/// Frames do not see each other, so a long video goes through in groups of bounded memory.
class VisionTower final : public MediaEncoder {
 public:
  /// Reads one block from its own scope; the families' blocks differ in norm, MLP and tensor names.
  using BlockLoader = EncoderBlock (*)(WeightLoader& loader, const VisionConfig& config);
  /// Reads the merger's norm from the merger's scope.
  using NormLoader = Norm (*)(WeightLoader& loader, std::string_view name, int64_t size, float eps);

  /// Reads patch_embed.proj, pos_embed, blocks.N, merger and the deepstack mergers from `loader`.
  VisionTower(const VisionConfig& config, WeightLoader loader, BlockLoader load_block, NormLoader load_norm);

  int64_t width() const override { return merger_.num_columns() * (1 + static_cast<int64_t>(deepstack_mergers_.size())); }
  int64_t num_rows(const ProcessedMedia& media) const override;
  Tensor encode(const ProcessedMedia& media, Arena& arena) const override;

 private:
  bool is_windowed(size_t block) const;
  /// Patch rows [first_row, ...) of the frames that `plan` describes.
  void encode_frames(const ProcessedMedia& media, int64_t first_row, const FramePlan& plan, Arena& arena, Matrix output) const;
  /// hidden: a row for each patch from `first_row` on, in the order of the media.
  void embed_patches(const ProcessedMedia& media, int64_t first_row, Arena& arena, Matrix hidden) const;
  void embed_in_plan_order(const ProcessedMedia& media, int64_t first_row, const FramePlan& plan, Arena& arena,
                           Matrix hidden) const;
  void merge_patches(const PatchMerger& merger, ConstMatrix hidden, const FramePlan& plan, Arena& arena, Matrix output) const;
  /// The deepstack levels that `block` yields, each into its columns of `output`.
  void merge_deepstack(size_t block, ConstMatrix hidden, const FramePlan& plan, Arena& arena, Matrix output) const;

  VisionConfig config_;
  Backend& backend_;
  VisionRotary rotary_;
  Linear patch_embed_;
  std::optional<PositionGrid> positions_;
  std::vector<EncoderBlock> blocks_;
  PatchMerger merger_;
  std::vector<PatchMerger> deepstack_mergers_;  ///< one a deepstack level
};

}  // namespace sensorium
