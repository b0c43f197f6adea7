#include "layers/norm.h"

#include <string>

#include "ops/norm.h"

namespace sensorium {

Norm Norm::rms(WeightLoader& loader, std::string_view name, int64_t size, float eps) {
  return {loader.vector(std::string(name) + ".weight", size), Tensor(), eps};
}

Norm Norm::layer(WeightLoader& loader, std::string_view name, int64_t size, float eps) {
  Tensor weight = loader.vector(std::string(name) + ".weight", size);
  return {std::move(weight), loader.vector(std::string(name) + ".bias", size), eps};
}

void Norm::forward(Backend& backend, ConstMatrix x, Matrix y) const {
  if (bias_.empty()) {
    ops::rms_norm(backend, x, weight_, eps_, y);
  } else {
    ops::layer_norm(backend, x, weight_, bias_, eps_, y);
  }
}

void Norm::forward_heads(Backend& backend, Matrix x, int64_t num_heads) const {
  ops::rms_norm_heads(backend, x, num_heads, weight_, eps_);
}

}  // namespace sensorium
