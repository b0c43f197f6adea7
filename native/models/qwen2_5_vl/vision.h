#pragma once

#include <memory>

#include "layers/weight_loader.h"
#include "models/config_section.h"
#include "models/vision/vision_tower.h"

namespace sensorium {

/// Sizes of the vision tower of Qwen2.5-VL and of the Qwen2.5-Omni thinker. Throws
/// kInvalidCheckpoint.
VisionConfig read_qwen2_5_vision_config(const ConfigSection& section);
/// Reads the tower from "visual": windowed attention, RMSNorm, gated MLP with biases; q, k and v in one tensor or in three.
std::unique_ptr<VisionTower> load_qwen2_5_vision(const VisionConfig& config, const WeightLoader& loader);

}  // namespace sensorium
