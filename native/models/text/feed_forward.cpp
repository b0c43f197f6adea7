#include "models/text/feed_forward.h"

#include <utility>

namespace sensorium {
namespace {

constexpr std::string_view kStackedUp = "experts.gate_up_proj";
constexpr std::string_view kStackedDown = "experts.down_proj";

Mlp load_mlp(WeightLoader loader, const TextConfig& config, int64_t inner) {
  const bool has_bias = config.has_mlp_bias;
  Linear up =
      loader.has("gate_up_proj.weight")
          ? Linear::load_gated(loader, config.hidden_size, {"gate_up_proj", 2 * inner, has_bias})
          : Linear::load_gated(loader, config.hidden_size, {"gate_proj", inner, has_bias}, {"up_proj", inner, has_bias});
  Linear down = Linear::load(loader, inner, {{"down_proj", config.hidden_size, has_bias}});
  return {std::move(up), std::move(down), config.activation};
}

/// Both orders are in use. Only the pair of shapes tells them apart where a size equals another.
std::vector<Mlp> load_stacked_experts(WeightLoader& loader, const TextConfig& config) {
  const int64_t count = config.moe->num_experts, inner = config.moe->intermediate_size, hidden = config.hidden_size;
  MatrixStack up{count, 2 * inner, hidden, false, true};
  MatrixStack down{count, hidden, inner, false, false};
  const bool is_as_linear = loader.shape_of(kStackedUp) == up.shape() && loader.shape_of(kStackedDown) == down.shape();
  up.is_transposed = down.is_transposed = !is_as_linear;
  std::vector<std::unique_ptr<PackedMatrix>> ups = loader.stack(kStackedUp, up), downs = loader.stack(kStackedDown, down);
  std::vector<Mlp> experts;
  for (size_t i = 0; i < ups.size(); ++i) {
    experts.emplace_back(Linear(std::move(ups[i]), inner), Linear(std::move(downs[i]), hidden), config.activation);
  }
  return experts;
}

std::vector<Mlp> load_experts(WeightLoader& loader, const TextConfig& config) {
  if (loader.has(kStackedUp)) return load_stacked_experts(loader, config);
  std::vector<Mlp> experts;
  for (int64_t i = 0; i < config.moe->num_experts; ++i) {
    experts.push_back(load_mlp(loader.scope("experts", i), config, config.moe->intermediate_size));
  }
  return experts;
}

}  // namespace

FeedForward load_feed_forward(const WeightLoader& layer, const TextConfig& config, int64_t index) {
  WeightLoader loader = layer.scope("mlp");
  if (!config.moe || !config.moe->is_sparse(index)) return load_mlp(loader, config, config.intermediate_size);
  Linear router = Linear::load(loader, config.hidden_size, {{"gate", config.moe->num_experts}});
  std::vector<Mlp> experts = load_experts(loader, config);
  return MoeMlp(std::move(router), std::move(experts), {config.moe->num_experts_per_token, config.moe->is_renormalized});
}

}  // namespace sensorium
