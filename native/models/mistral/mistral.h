#pragma once

#include "models/text/text_config.h"

namespace sensorium {

/// Defaults of Hugging Face's MistralConfig.
TextConfig mistral_text_defaults();

}  // namespace sensorium
