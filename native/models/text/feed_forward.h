#pragma once

#include "layers/feed_forward.h"
#include "layers/weight_loader.h"
#include "models/text/text_config.h"

namespace sensorium {

/// Reads `mlp` of a decoder layer: gate_proj and up_proj, in one tensor (gate_up_proj) or in two, and down_proj; or, in layers
/// with experts, the router `gate` and the experts, each in tensors of its own or all in two: experts.gate_up_proj [experts,
/// hidden, 2 * inner] and experts.down_proj [experts, inner, hidden], or both transposed. Throws kInvalidCheckpoint.
FeedForward load_feed_forward(const WeightLoader& layer, const TextConfig& config, int64_t index);

}  // namespace sensorium
