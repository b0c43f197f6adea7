#pragma once

#include <memory>

#include "engine/sequence.h"

namespace sensorium {

/// Throws kInvalidArgument naming the option that is out of its range.
void check_options(const EngineOptions& options);

/// Longest sequence, prompt and answer, that the options and the KV cache's blocks allow.
int32_t max_sequence_length(const EngineOptions& options);

/// Checks a request against the model and the options and works out what the engine needs to know about it.
/// Throws kInvalidArgument or kInvalidMedia naming the part at fault. `fallback_seed` is used without a seed.
std::shared_ptr<Request> make_request(EngineRequest input, const Model& model, const EngineOptions& options,
                                      uint64_t fallback_seed);

}  // namespace sensorium
