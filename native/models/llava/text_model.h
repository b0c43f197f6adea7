#pragma once

#include "models/text/text_config.h"

namespace sensorium {

/// Text config of a LLaVA checkpoint with the class defaults of its text_config.model_type, or of `usual_type` where there is
/// none. Throws kUnsupportedArchitecture on other language models.
TextConfig read_llava_text_config(const ConfigSection& config, std::string_view usual_type);

}  // namespace sensorium
