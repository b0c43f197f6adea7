#pragma once

#include <memory>

#include "layers/weight_loader.h"
#include "models/config_section.h"
#include "models/vision/vision_tower.h"

namespace sensorium {

/// Sizes of the vision tower of Qwen3-VL and of the Qwen3-Omni thinker. Throws kInvalidCheckpoint.
VisionConfig read_qwen3_vision_config(const ConfigSection& section);
/// Reads the tower from "visual": full attention, LayerNorm, plain MLP with biases.
std::unique_ptr<VisionTower> load_qwen3_vision(const VisionConfig& config, const WeightLoader& loader);

}  // namespace sensorium
