#include "ops/linear.h"

#include "ops/shape_check.h"

namespace sensorium::ops {

void linear(Backend& backend, const PackedMatrix& weight, ConstMatrix x, Matrix y, const Epilogue& epilogue) {
  check_equal("linear", "columns of x", x.cols, weight.in_features());
  check_shape("linear", "y", y, x.rows, weight.num_columns());
  if (epilogue.residual.data != nullptr) check_shape("linear", "residual", epilogue.residual, y.rows, y.cols);
  backend.linear(weight, x, y, epilogue);
}

}  // namespace sensorium::ops
