#pragma once

#include <string>
#include <string_view>

namespace sensorium {

/// The name that families ask for, whichever version of the library wrote the checkpoint: "model.*" and "lm_head.*" for the
/// language model, "visual.*" and "audio_tower.*" for encoders. Empty for tensors that no family reads (speech output, computed
/// tables).
std::string normalized_tensor_name(std::string_view disk_name);

}  // namespace sensorium
