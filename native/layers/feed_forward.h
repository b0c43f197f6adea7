#pragma once

#include <variant>

#include "layers/mlp.h"
#include "layers/moe_mlp.h"

namespace sensorium {

/// What a decoder layer does after its attention.
using FeedForward = std::variant<Mlp, MoeMlp>;

}  // namespace sensorium
