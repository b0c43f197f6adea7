#include "layers/linear.h"

#include "ops/linear.h"

namespace sensorium {

Linear Linear::load(WeightLoader& loader, int64_t in_features, std::initializer_list<LinearSlice> slices) {
  int64_t num_columns = 0;
  for (const LinearSlice& slice : slices) num_columns += slice.out_features;
  return {loader.matrix(slices, in_features), num_columns};
}

Linear Linear::load_gated(WeightLoader& loader, int64_t in_features, const LinearSlice& gate, const LinearSlice& up) {
  return {loader.gated_matrix(gate, up, in_features), gate.out_features};
}

Linear Linear::load_gated(WeightLoader& loader, int64_t in_features, const LinearSlice& both, GateHalf gate) {
  return {loader.gated_matrix(both, in_features, gate), both.out_features / 2};
}

void Linear::forward(Backend& backend, ConstMatrix x, Matrix y, const Epilogue& epilogue) const {
  ops::linear(backend, *weight_, x, y, epilogue);
}

}  // namespace sensorium
