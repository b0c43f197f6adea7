#include "backend/cpu/rows.h"

#include <cmath>
#include <cstdint>

namespace sensorium {
namespace {

/// In double precision: what the vector functions are measured against.
double apply(double x, Activation activation) {
  constexpr double kInverseSqrt2 = 0.70710678118654752;
  constexpr double kTwiceSqrt2OverPi = 1.5957691216057308;
  switch (activation) {
    case Activation::kNone:
      return x;
    case Activation::kSilu:
      return x / (1.0 + std::exp(-x));
    case Activation::kGeluErf:
      return 0.5 * x * std::erfc(-x * kInverseSqrt2);
    case Activation::kGeluTanh:  // x / 2 * (1 + tanh(u)) = x / (1 + exp(-2u)), u = sqrt(2 / pi) * (x + 0.044715 x³)
      return x / (1.0 + std::exp(-kTwiceSqrt2OverPi * (x + 0.044715 * x * x * x)));
    case Activation::kQuickGelu:
      return x / (1.0 + std::exp(-1.702 * x));
  }
  return x;
}

void rms_norm(ConstMatrix x, const float* weight, float eps, Matrix y) {
  for (int64_t r = 0; r < x.rows; ++r) {
    double squares = 0;
    for (int64_t c = 0; c < x.cols; ++c) squares += static_cast<double>(x.row(r)[c]) * x.row(r)[c];
    const auto scale = static_cast<float>(1.0 / std::sqrt(squares / static_cast<double>(x.cols) + eps));
    for (int64_t c = 0; c < x.cols; ++c) y.row(r)[c] = x.row(r)[c] * scale * weight[c];
  }
}

void layer_norm(ConstMatrix x, const float* weight, const float* bias, float eps, Matrix y) {
  const auto count = static_cast<double>(x.cols);
  for (int64_t r = 0; r < x.rows; ++r) {
    double sum = 0, squares = 0;
    for (int64_t c = 0; c < x.cols; ++c) sum += x.row(r)[c];
    const double mean = sum / count;
    for (int64_t c = 0; c < x.cols; ++c) squares += (x.row(r)[c] - mean) * (x.row(r)[c] - mean);
    const double scale = 1.0 / std::sqrt(squares / count + eps);
    for (int64_t c = 0; c < x.cols; ++c) {
      y.row(r)[c] = static_cast<float>((x.row(r)[c] - mean) * scale) * weight[c] + bias[c];
    }
  }
}

void activate_row(const float* x, int64_t count, Activation activation, float* y) {
  for (int64_t i = 0; i < count; ++i) y[i] = static_cast<float>(apply(x[i], activation));
}

void activate(ConstMatrix x, Activation activation, Matrix y) {
  for (int64_t r = 0; r < x.rows; ++r) activate_row(x.row(r), x.cols, activation, y.row(r));
}

void gate_row(const float* gate, const float* up, int64_t count, Activation activation, float* y) {
  for (int64_t i = 0; i < count; ++i) y[i] = static_cast<float>(apply(gate[i], activation)) * up[i];
}

void add(ConstMatrix x, Matrix y) {
  for (int64_t r = 0; r < x.rows; ++r) {
    for (int64_t c = 0; c < x.cols; ++c) y.row(r)[c] += x.row(r)[c];
  }
}

void rope(Matrix x, int64_t num_heads, int64_t head_dim, ConstMatrix cos, ConstMatrix sin) {
  const int64_t half = cos.cols;
  for (int64_t r = 0; r < x.rows; ++r) {
    for (int64_t h = 0; h < num_heads; ++h) {
      float* head = x.row(r) + h * head_dim;
      for (int64_t i = 0; i < half; ++i) {
        const float low = head[i], high = head[i + half];
        head[i] = low * cos.row(r)[i] - high * sin.row(r)[i];
        head[i + half] = high * cos.row(r)[i] + low * sin.row(r)[i];
      }
    }
  }
}

float exp_row(const float* x, int64_t count, float shift, float* y) {
  double sum = 0;
  for (int64_t i = 0; i < count; ++i) {
    y[i] = std::exp(x[i] - shift);
    sum += y[i];
  }
  return static_cast<float>(sum);
}

constexpr RowKernels kGenericRowKernels = {rms_norm, layer_norm, activate, add, rope, activate_row, gate_row, exp_row};

}  // namespace

const RowKernels& generic_row_kernels() { return kGenericRowKernels; }

}  // namespace sensorium
