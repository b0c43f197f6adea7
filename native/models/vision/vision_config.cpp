#include "models/vision/vision_tower.h"

namespace sensorium {
namespace {

constexpr int64_t kMaxPatch = 1024;
constexpr int64_t kMaxMerge = 64;

}  // namespace

VisionConfig read_vision_config(const ConfigSection& section, VisionConfig config) {
  config.depth = section.count({"depth"}, config.depth, kMaxLayers);
  config.num_heads = section.count({"num_heads"}, config.num_heads, kMaxWidth);
  config.in_channels = section.count({"in_channels", "in_chans"}, config.in_channels, kMaxPatch);
  config.patch_size = section.count({"patch_size"}, config.patch_size, kMaxPatch);
  config.temporal_patch_size = section.count({"temporal_patch_size"}, config.temporal_patch_size, kMaxMerge);
  config.merge_size = section.count({"spatial_merge_size"}, config.merge_size, kMaxMerge);
  if (config.hidden_size % config.num_heads != 0 || config.hidden_size / config.num_heads % 4 != 0) {
    section.fail("num_heads", "does not divide the tower's width " + std::to_string(config.hidden_size) +
                                  " into heads of a multiple of 4 dimensions");
  }
  return config;
}

}  // namespace sensorium
