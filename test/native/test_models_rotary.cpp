// Rotation frequencies of the RoPE scalings against values of their published formulas, computed in double precision.

#include <cmath>
#include <utility>

#include "check.h"
#include "layers/rotary.h"

using namespace sensorium;  // NOLINT(google-build-using-namespace)

namespace {

void check_frequencies(const RotaryConfig& config, const std::vector<std::pair<size_t, double>>& expected) {
  const std::vector<float> found = rotary_frequencies(config);
  CHECK_EQ(found.size(), static_cast<size_t>(config.rotary_dim / 2));
  for (const auto& [index, value] : expected) CHECK_NEAR(static_cast<double>(found[index]) / value, 1.0, 1e-5);
}

}  // namespace

TEST(plain_frequencies_fall_geometrically) {
  RotaryConfig config;
  config.rotary_dim = 128;
  config.theta = 1e6;
  check_frequencies(config, {{0, 1.0}, {32, 1e-3}, {63, std::pow(1e6, -126.0 / 128.0)}});
}

TEST(linear_scaling_divides_all) {
  RotaryConfig config;
  config.rotary_dim = 8;
  config.scaling = RotaryScaling::kLinear;
  config.factor = 4.0;
  check_frequencies(config, {{0, 0.25}, {2, 0.0025}});
}

TEST(llama3_scaling_blends_between_its_wavelengths) {
  RotaryConfig config;
  config.rotary_dim = 64;
  config.theta = 500000.0;
  config.scaling = RotaryScaling::kLlama3;
  config.factor = 32.0;
  config.original_max_position = 8192.0;
  check_frequencies(config, {{0, 1.0},
                             {10, 0.016560440080994446},
                             {15, 0.001290547928209264},
                             {16, 0.00042955679655936815},
                             {17, 9.70828780262767e-05},
                             {18, 1.9461638184831125e-05},
                             {31, 9.41830672543491e-08}});
}

TEST(yarn_scaling_ramps_between_its_rotations) {
  RotaryConfig config;
  config.rotary_dim = 128;
  config.theta = 1e6;
  config.scaling = RotaryScaling::kYarn;
  config.factor = 4.0;
  config.original_max_position = 32768.0;
  check_frequencies(config, {{0, 1.0},
                             {23, 0.006978305848598663},
                             {24, 0.005375321490790102},
                             {30, 0.001064360981247002},
                             {39, 6.490394320837029e-05},
                             {40, 4.445698525097307e-05},
                             {63, 3.102344401879299e-07}});
}

TEST(longrope_divides_by_the_factors_of_the_context) {
  RotaryConfig config;
  config.rotary_dim = 8;
  config.scaling = RotaryScaling::kLongRope;
  config.original_max_position = 64.0;
  config.short_factors = {1.0, 2.0, 4.0, 8.0};
  config.long_factors = {10.0, 20.0, 40.0, 80.0};
  check_frequencies(config, {{0, 1.0}, {1, 0.05}, {2, 0.0025}, {3, 0.000125}});
  const std::vector<float> distant = rotary_frequencies(config, ContextRange::kLong);
  CHECK_NEAR(static_cast<double>(distant[1]) / 0.005, 1.0, 1e-5);
  const TextRotary rotary(config);
  CHECK(rotary.range_of(64) == ContextRange::kShort && rotary.range_of(65) == ContextRange::kLong);
}
