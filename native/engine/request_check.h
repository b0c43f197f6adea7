#pragma once

#include <memory>

#include "engine/sequence.h"

namespace sensorium {

/// Throws kInvalidArgument naming the option that is out of its range.
void check_options(const EngineOptions& options);

/// Options that suit the model: without a prefix cache where keys depend on what is heard. Throws as check_options(), and
/// kInvalidArgument where the KV cache has no room for the model's encoder rows and an answer.
EngineOptions fit_options(EngineOptions options, const ModelInfo& info);

/// Longest sequence, prompt and answer, that the options and the KV cache's blocks allow beside `num_cross_rows` encoder rows.
int32_t max_sequence_length(const EngineOptions& options, int64_t num_cross_rows);

/// Checks a request against the model and the options and works out what the engine needs to know about it.
/// Throws kInvalidArgument or kInvalidMedia naming the part at fault. `fallback_seed` is used without a seed.
std::shared_ptr<Request> make_request(EngineRequest input, const Model& model, const EngineOptions& options,
                                      uint64_t fallback_seed);

}  // namespace sensorium
