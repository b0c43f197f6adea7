#pragma once

#include <cstdint>
#include <vector>

#include "models/config_section.h"

namespace sensorium {

/// Which layers of a decoder are mixtures of experts, and their sizes.
struct MoeConfig {
  int64_t num_experts = 128;
  int64_t num_experts_per_token = 8;
  int64_t intermediate_size = 768;    ///< of one expert
  bool is_renormalized = false;       ///< the chosen experts' weights sum to 1
  int64_t sparse_step = 1;            ///< every sparse_step-th layer has experts
  std::vector<int64_t> dense_layers;  ///< these have none all the same

  bool is_sparse(int64_t layer) const;
};

/// `section` over the class defaults `defaults`. Throws kInvalidCheckpoint.
MoeConfig read_moe_config(const ConfigSection& section, MoeConfig defaults);

}  // namespace sensorium
