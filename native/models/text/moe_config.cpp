#include "models/text/moe_config.h"

#include <algorithm>

namespace sensorium {
namespace {

constexpr int64_t kMaxExperts = 1 << 14;

}  // namespace

bool MoeConfig::is_sparse(int64_t layer) const {
  const bool is_dense = std::find(dense_layers.begin(), dense_layers.end(), layer) != dense_layers.end();
  return !is_dense && (layer + 1) % sparse_step == 0;
}

MoeConfig read_moe_config(const ConfigSection& section, MoeConfig config) {
  config.num_experts = section.count({"num_experts", "num_local_experts"}, config.num_experts, kMaxExperts);
  config.num_experts_per_token = section.count({"num_experts_per_tok"}, config.num_experts_per_token, kMaxExperts);
  config.intermediate_size = section.count({"moe_intermediate_size"}, config.intermediate_size, kMaxWidth);
  config.is_renormalized = section.flag({"norm_topk_prob"}, config.is_renormalized);
  config.sparse_step = section.count({"decoder_sparse_step"}, config.sparse_step, kMaxLayers);
  config.dense_layers = section.integers({"mlp_only_layers"}, config.dense_layers, kMaxLayers);
  if (config.num_experts_per_token > config.num_experts) section.fail("num_experts_per_tok", "is above num_experts");
  return config;
}

}  // namespace sensorium
