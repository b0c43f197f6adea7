#pragma once

#include "models/text/text_config.h"

namespace sensorium {

/// Defaults of Hugging Face's LlamaConfig.
TextConfig llama_text_defaults();

}  // namespace sensorium
