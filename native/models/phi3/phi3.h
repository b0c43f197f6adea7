#pragma once

#include "models/text/text_config.h"

namespace sensorium {

/// Defaults of Hugging Face's Phi3Config.
TextConfig phi3_text_defaults();

}  // namespace sensorium
