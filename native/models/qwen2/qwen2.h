#pragma once

#include "models/text/text_config.h"

namespace sensorium {

/// Defaults of Hugging Face's Qwen2Config.
TextConfig qwen2_text_defaults();

}  // namespace sensorium
