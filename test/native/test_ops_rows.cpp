#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <limits>
#include <random>
#include <string>
#include <vector>

#include "backend/cpu/rows.h"
#include "backend/detect.h"
#include "check.h"

// The row kernels of every instruction set this machine has, against references in double precision.

using namespace sensorium;

namespace {

constexpr float kEps = 1e-5F;
constexpr float kGuard = -12345.0F;
const std::vector<int64_t> kWidths = {1, 2, 3, 7, 8, 9, 15, 16, 17, 31, 33, 63, 64, 65, 127, 128, 200, 1001, 1152, 3584};
const std::vector<Activation> kActivations = {Activation::kNone, Activation::kSilu, Activation::kGeluErf, Activation::kGeluTanh,
                                              Activation::kQuickGelu};

template <typename Test>
void for_each_table(Test test) {
  const auto run = [&](const char* name, const RowKernels& kernels) {
    std::printf("     on %s\n", name);
    test(kernels);
  };
  run("generic", generic_row_kernels());
#if defined(__x86_64__)
  if (cpu_features().has_avx2) run("avx2", avx2_row_kernels());
  if (cpu_features().has_avx512) run("avx512", avx512_row_kernels());
#endif
}

std::vector<float> random_values(int64_t count, uint32_t seed, float mean = 0.0F) {
  std::mt19937 engine(seed);
  std::normal_distribution<float> distribution(mean, 1.5F);
  std::vector<float> values(static_cast<size_t>(count));
  for (float& value : values) value = distribution(engine);
  return values;
}

ConstMatrix as_matrix(const std::vector<float>& values, int64_t rows) {
  return {values.data(), rows, static_cast<int64_t>(values.size()) / rows};
}

Matrix as_matrix(std::vector<float>& values, int64_t rows) {
  return {values.data(), rows, static_cast<int64_t>(values.size()) / rows};
}

double reference(double x, Activation activation) {
  switch (activation) {
    case Activation::kNone:
      return x;
    case Activation::kSilu:
      return x / (1.0 + std::exp(-x));
    case Activation::kGeluErf:
      return 0.5 * x * std::erfc(-x / std::sqrt(2.0));
    case Activation::kGeluTanh:  // with tanh(u) = 2 / (1 + exp(-2u)) - 1, which keeps the digits of the left tail
      return x / (1.0 + std::exp(-2.0 * std::sqrt(2.0 / std::acos(-1.0)) * (x + 0.044715 * x * x * x)));
    case Activation::kQuickGelu:
      return x / (1.0 + std::exp(-1.702 * x));
  }
  return x;
}

/// Largest |found - expected| / (|expected| + floor).
double relative_error(const std::vector<float>& found, const std::vector<double>& expected, double floor) {
  double worst = 0;
  for (size_t i = 0; i < found.size(); ++i) {
    const double error = std::fabs(found[i] - expected[i]) / (std::fabs(expected[i]) + floor);
    worst = std::isnan(error) ? std::numeric_limits<double>::infinity() : std::max(worst, error);
  }
  return worst;
}

/// Inputs of all magnitudes, dense where the functions bend.
std::vector<float> activation_inputs() {
  std::vector<float> inputs;
  for (int i = -200000; i <= 200000; ++i) inputs.push_back(static_cast<float>(i) * 1e-4F);
  for (float magnitude = 1e-30F; magnitude < 30.0F; magnitude *= 1.37F) inputs.insert(inputs.end(), {magnitude, -magnitude});
  return inputs;
}

std::vector<double> rms_norm_reference(ConstMatrix x, const std::vector<float>& weight) {
  std::vector<double> y;
  for (int64_t r = 0; r < x.rows; ++r) {
    double squares = 0;
    for (int64_t c = 0; c < x.cols; ++c) squares += static_cast<double>(x.row(r)[c]) * x.row(r)[c];
    const double scale = 1.0 / std::sqrt(squares / static_cast<double>(x.cols) + kEps);
    for (int64_t c = 0; c < x.cols; ++c) y.push_back(x.row(r)[c] * scale * weight[static_cast<size_t>(c)]);
  }
  return y;
}

std::vector<double> layer_norm_reference(ConstMatrix x, const std::vector<float>& weight, const std::vector<float>& bias) {
  std::vector<double> y;
  for (int64_t r = 0; r < x.rows; ++r) {
    double sum = 0, squares = 0;
    for (int64_t c = 0; c < x.cols; ++c) sum += x.row(r)[c];
    const double mean = sum / static_cast<double>(x.cols);
    for (int64_t c = 0; c < x.cols; ++c) squares += (x.row(r)[c] - mean) * (x.row(r)[c] - mean);
    const double scale = 1.0 / std::sqrt(squares / static_cast<double>(x.cols) + kEps);
    for (int64_t c = 0; c < x.cols; ++c) {
      y.push_back((x.row(r)[c] - mean) * scale * weight[static_cast<size_t>(c)] + bias[static_cast<size_t>(c)]);
    }
  }
  return y;
}

}  // namespace

TEST(rms_norm_is_right_for_every_width) {
  for_each_table([](const RowKernels& kernels) {
    for (const int64_t width : kWidths) {
      const auto x = random_values(5 * width, 1), weight = random_values(width, 2);
      std::vector<float> y(x.size());
      kernels.rms_norm(as_matrix(x, 5), weight.data(), kEps, as_matrix(y, 5));
      CHECK_NEAR(relative_error(y, rms_norm_reference(as_matrix(x, 5), weight), 1e-6), 0, 1e-6);
    }
  });
}

TEST(layer_norm_is_right_for_every_width) {
  for_each_table([](const RowKernels& kernels) {
    for (const int64_t width : kWidths) {
      // A mean far from zero shows a variance computed by subtracting squares.
      const auto x = random_values(5 * width, 3, 50.0F), weight = random_values(width, 4), bias = random_values(width, 5);
      std::vector<float> y(x.size());
      kernels.layer_norm(as_matrix(x, 5), weight.data(), bias.data(), kEps, as_matrix(y, 5));
      if (width == 1) {
        for (size_t i = 0; i < y.size(); ++i) CHECK_EQ(y[i], bias[0]);
        continue;
      }
      CHECK_NEAR(relative_error(y, layer_norm_reference(as_matrix(x, 5), weight, bias), 1.0), 0, 2e-5);
    }
  });
}

TEST(activations_are_accurate_over_their_range) {
  const std::vector<float> x = activation_inputs();
  for_each_table([&](const RowKernels& kernels) {
    for (const Activation activation : kActivations) {
      std::vector<double> expected;
      for (const float value : x) expected.push_back(reference(value, activation));
      std::vector<float> y(x.size());
      kernels.activate_row(x.data(), static_cast<int64_t>(x.size()), activation, y.data());
      // The exponent of the left tail is rounded once before exp(): its error grows with |x|³ for the tanh form.
      const double tolerance = activation == Activation::kGeluTanh ? 2e-5 : 3e-6;
      CHECK_NEAR(relative_error(y, expected, 1e-30), 0, tolerance);
      std::vector<float> absolute;
      for (size_t i = 0; i < y.size(); ++i) absolute.push_back(static_cast<float>(std::fabs(y[i] - expected[i])));
      CHECK(*std::max_element(absolute.begin(), absolute.end()) <= 2e-6F);
    }
  });
}

TEST(the_four_activations_differ) {
  for_each_table([](const RowKernels& kernels) {
    const float x = 1.5F;
    const float expected[] = {1.5F, 1.22636178F, 1.39978919F, 1.39957170F, 1.39166163F};
    for (size_t i = 0; i < kActivations.size(); ++i) {
      float y = 0;
      kernels.activate_row(&x, 1, kActivations[i], &y);
      CHECK_NEAR(y, expected[i], 1e-6);
    }
  });
}

TEST(activations_stay_finite_and_keep_nan) {
  for_each_table([](const RowKernels& kernels) {
    for (const Activation activation : kActivations) {
      std::vector<float> x = {-1e30F, -1000.0F, -104.0F, 1000.0F, 1e30F, std::nanf("")}, y(x.size());
      kernels.activate_row(x.data(), static_cast<int64_t>(x.size()), activation, y.data());
      CHECK(std::isnan(y[5]));
      CHECK_EQ(y[3], 1000.0F);
      CHECK_EQ(y[4], 1e30F);
      if (activation == Activation::kNone) continue;
      for (size_t i = 0; i < 3; ++i) CHECK_NEAR(y[i], 0.0, 1e-30);
    }
  });
}

TEST(exp_row_is_accurate_and_sums) {
  std::vector<float> x;
  for (int i = 0; i <= 174000; ++i) x.push_back(-86.0F + static_cast<float>(i) * 1e-3F);
  for_each_table([&](const RowKernels& kernels) {
    std::vector<float> y(x.size());
    std::vector<double> expected;
    for (const float value : x) expected.push_back(std::exp(static_cast<double>(value)));
    (void)kernels.exp_row(x.data(), static_cast<int64_t>(x.size()), 0.0F, y.data());
    CHECK_NEAR(relative_error(y, expected, 0.0), 0, 2.4e-7);

    const auto scores = random_values(1003, 6);
    std::vector<float> weights(scores.size());
    const float sum = kernels.exp_row(scores.data(), 1003, 2.0F, weights.data());
    double expected_sum = 0;
    for (const float score : scores) expected_sum += std::exp(static_cast<double>(score) - 2.0);
    CHECK_NEAR(sum / expected_sum, 1.0, 1e-6);
  });
}

TEST(exp_row_at_the_ends_of_the_range) {
  constexpr float kInfinity = std::numeric_limits<float>::infinity();
  for_each_table([](const RowKernels& kernels) {
    const float x[] = {-kInfinity, -1e30F, -105.0F, 0.0F, 88.7F, 89.0F, 1e30F, kInfinity, std::nanf(""), -95.0F};
    float y[10] = {};
    (void)kernels.exp_row(x, 10, 0.0F, y);
    CHECK_EQ(y[0], 0.0F);
    CHECK_EQ(y[1], 0.0F);
    CHECK_EQ(y[2], 0.0F);
    CHECK_EQ(y[3], 1.0F);
    CHECK(std::isfinite(y[4]));
    for (int i = 5; i < 8; ++i) CHECK_EQ(y[i], kInfinity);
    CHECK(std::isnan(y[8]));
    CHECK_NEAR(y[9] / std::exp(-95.0), 1.0, 1e-3);  // a subnormal
  });
}

TEST(gate_row_multiplies_by_up) {
  for_each_table([](const RowKernels& kernels) {
    for (const int64_t width : kWidths) {
      const auto gate = random_values(width, 7), up = random_values(width, 8);
      std::vector<float> y(gate.size());
      std::vector<double> expected;
      for (size_t i = 0; i < gate.size(); ++i) expected.push_back(reference(gate[i], Activation::kSilu) * up[i]);
      kernels.gate_row(gate.data(), up.data(), width, Activation::kSilu, y.data());
      CHECK_NEAR(relative_error(y, expected, 1e-30), 0, 2e-6);
    }
  });
}

TEST(rope_turns_pairs_and_leaves_the_rest) {
  for_each_table([](const RowKernels& kernels) {
    for (const auto& [head_dim, rotary_dim] :
         {std::pair<int64_t, int64_t>{8, 8}, {64, 64}, {80, 80}, {128, 128}, {96, 72}, {20, 6}}) {
      const int64_t rows = 3, heads = 5, half = rotary_dim / 2;
      const auto x = random_values(rows * heads * head_dim, 9);
      const auto cos = random_values(rows * half, 10), sin = random_values(rows * half, 11);
      std::vector<float> y = x;
      kernels.rope(as_matrix(y, rows), heads, head_dim, as_matrix(cos, rows), as_matrix(sin, rows));
      std::vector<double> expected(x.begin(), x.end());
      for (int64_t r = 0; r < rows; ++r) {
        for (int64_t h = 0; h < heads; ++h) {
          for (int64_t i = 0; i < half; ++i) {
            const auto low = static_cast<size_t>((r * heads + h) * head_dim + i), high = low + static_cast<size_t>(half);
            const double c = cos[static_cast<size_t>(r * half + i)], s = sin[static_cast<size_t>(r * half + i)];
            expected[low] = x[low] * c - x[high] * s;
            expected[high] = x[high] * c + x[low] * s;
          }
        }
      }
      CHECK_NEAR(relative_error(y, expected, 1.0), 0, 1e-6);
      for (size_t i = 0; i < y.size(); ++i) {
        if (static_cast<int64_t>(i) % head_dim >= rotary_dim) CHECK_EQ(y[i], x[i]);
      }
    }
  });
}

TEST(add_sums_in_place) {
  for_each_table([](const RowKernels& kernels) {
    for (const int64_t width : kWidths) {
      const auto x = random_values(2 * width, 12), before = random_values(2 * width, 13);
      std::vector<float> y = before;
      kernels.add(as_matrix(x, 2), as_matrix(y, 2));
      for (size_t i = 0; i < y.size(); ++i) CHECK_EQ(y[i], x[i] + before[i]);
    }
  });
}

TEST(a_row_alone_gives_the_same_bits) {
  for_each_table([](const RowKernels& kernels) {
    for (const int64_t width : {int64_t{5}, int64_t{64}, int64_t{1001}}) {
      const int64_t rows = 7, stride = width + 3;
      const auto storage = random_values(rows * stride, 14), weight = random_values(width, 15), bias = random_values(width, 16);
      const ConstMatrix x(storage.data(), rows, width, stride);
      const auto check_op = [&](const auto& op) {
        std::vector<float> together(static_cast<size_t>(rows * width)), alone(static_cast<size_t>(width));
        op(x, as_matrix(together, rows));
        for (int64_t r = 0; r < rows; ++r) {
          op(x.row_range(r, 1), as_matrix(alone, 1));
          CHECK(std::equal(alone.begin(), alone.end(), together.begin() + r * width));
        }
      };
      check_op([&](ConstMatrix in, Matrix out) { kernels.rms_norm(in, weight.data(), kEps, out); });
      check_op([&](ConstMatrix in, Matrix out) { kernels.layer_norm(in, weight.data(), bias.data(), kEps, out); });
      for (const Activation activation : kActivations) {
        check_op([&](ConstMatrix in, Matrix out) { kernels.activate(in, activation, out); });
      }
    }
  });
}

TEST(an_element_gives_the_same_bits_at_every_index) {
  for_each_table([](const RowKernels& kernels) {
    const auto x = random_values(67, 17), up = random_values(67, 18);
    for (const Activation activation : kActivations) {
      std::vector<float> activated(67), gated(67);
      kernels.activate_row(x.data(), 67, activation, activated.data());
      kernels.gate_row(x.data(), up.data(), 67, activation, gated.data());
      for (size_t i = 0; i < x.size(); ++i) {
        float one = 0;
        kernels.activate_row(&x[i], 1, activation, &one);
        CHECK_EQ(one, activated[i]);
        kernels.gate_row(&x[i], &up[i], 1, activation, &one);
        CHECK_EQ(one, gated[i]);
      }
    }
  });
}

TEST(ops_work_in_place_and_write_nothing_else) {
  for_each_table([](const RowKernels& kernels) {
    for (const int64_t width : kWidths) {
      const int64_t rows = 3, stride = width + 2;
      const auto x = random_values(rows * width, 19), weight = random_values(width, 20), bias = random_values(width, 21);
      const auto check_op = [&](const auto& op) {
        std::vector<float> expected(x.size()), storage(static_cast<size_t>(rows * stride), kGuard);
        op(as_matrix(x, rows), as_matrix(expected, rows));
        const Matrix y(storage.data(), rows, width, stride);
        for (int64_t r = 0; r < rows; ++r) std::copy_n(x.begin() + r * width, width, y.row(r));
        op(y, y);
        for (int64_t r = 0; r < rows; ++r) {
          CHECK(std::equal(y.row(r), y.row(r) + width, expected.begin() + r * width));
          CHECK_EQ(y.row(r)[width], kGuard);
          CHECK_EQ(y.row(r)[width + 1], kGuard);
        }
      };
      check_op([&](ConstMatrix in, Matrix out) { kernels.rms_norm(in, weight.data(), kEps, out); });
      check_op([&](ConstMatrix in, Matrix out) { kernels.layer_norm(in, weight.data(), bias.data(), kEps, out); });
      check_op([&](ConstMatrix in, Matrix out) { kernels.activate(in, Activation::kGeluErf, out); });
    }
  });
}

TEST(nothing_to_do_is_allowed) {
  for_each_table([](const RowKernels& kernels) {
    float value = kGuard;
    const Matrix none(&value, 0, 16);
    kernels.rms_norm(none, &value, kEps, none);
    kernels.activate(none, Activation::kSilu, none);
    kernels.rope(none, 1, 16, ConstMatrix(&value, 0, 8), ConstMatrix(&value, 0, 8));
    kernels.activate_row(&value, 0, Activation::kSilu, &value);
    CHECK_EQ(kernels.exp_row(&value, 0, 0.0F, &value), 0.0F);
    CHECK_EQ(value, kGuard);
  });
}
