#pragma once

#include "models/config_section.h"
#include "models/mrope/mrope_positions.h"
#include "models/text/text_config.h"

namespace sensorium {

/// Defaults of the text configs of Qwen2-VL and Qwen2.5-VL, which are equal.
TextConfig qwen2_vl_text_defaults();
/// Placeholder ids of Qwen2-VL and Qwen2.5-VL.
MropeRules read_qwen2_vl_rules(const ConfigSection& config, int64_t merge_size);

}  // namespace sensorium
