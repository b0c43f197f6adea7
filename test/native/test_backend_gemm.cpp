#include <cmath>
#include <cstring>

#include "backend_testing.h"
#include "core/error.h"

using namespace sensorium;
using namespace sensorium::testing;

namespace {

double activate(Activation activation, double x) {
  switch (activation) {
    case Activation::kSilu:
      return x / (1.0 + std::exp(-x));
    case Activation::kGeluErf:
      return 0.5 * x * (1.0 + std::erf(x / std::sqrt(2.0)));
    case Activation::kGeluTanh:
      return 0.5 * x * (1.0 + std::tanh(std::sqrt(2.0 / M_PI) * (x + 0.044715 * x * x * x)));
    case Activation::kQuickGelu:
      return x / (1.0 + std::exp(-1.702 * x));
    case Activation::kNone:
      return x;
  }
  return x;
}

/// A layer's weights on disk.
struct Layer {
  int64_t out;
  int64_t in;
  std::vector<float> weight;
  std::vector<float> bias;

  Layer(int64_t out_, int64_t in_, Random& random)
      : out(out_),
        in(in_),
        weight(random.normal(out_ * in_, 1.0F / std::sqrt(static_cast<float>(in_)))),
        bias(random.normal(out_)) {}
  WeightSlice slice(bool has_bias = true) const {
    WeightSlice result;
    result.weight = view(weight, {out, in});
    if (has_bias) result.bias = view(bias, {out});
    return result;
  }
};

/// What the table makes of an operand: tiles and dots round activations to bfloat16.
float operand(const Backend& backend, float value) {
  return backend.product_unit() != ProductUnit::kMultiplyAdd ? round_to(DType::kBFloat16, value) : value;
}

double dot(const Backend& backend, const Layer& layer, int64_t column, const float* x) {
  double sum = layer.bias[static_cast<size_t>(column)];
  for (int64_t k = 0; k < layer.in; ++k) {
    const float weight = layer.weight[static_cast<size_t>(column * layer.in + k)];
    sum += static_cast<double>(round_to(backend.compute_dtype(), weight)) * operand(backend, x[k]);
  }
  return sum;
}

std::vector<float> run(Backend& backend, const PackedMatrix& weight, const std::vector<float>& x, int64_t rows, int64_t columns,
                       const Epilogue& epilogue = {}) {
  // Guard columns show a store beyond the row.
  std::vector<float> y(static_cast<size_t>(rows * (columns + 3)), -7.0F);
  backend.linear(weight, ConstMatrix(x.data(), rows, weight.in_features()), Matrix(y.data(), rows, columns, columns + 3),
                 epilogue);
  std::vector<float> dense;
  for (int64_t r = 0; r < rows; ++r) {
    for (int64_t c = columns; c < columns + 3; ++c) CHECK_EQ(y[static_cast<size_t>(r * (columns + 3) + c)], -7.0F);
    dense.insert(dense.end(), y.begin() + r * (columns + 3), y.begin() + r * (columns + 3) + columns);
  }
  return dense;
}

constexpr double kTolerance = 2e-5;
const int64_t kOddSizes[][2] = {{1, 1},    {3, 7},     {31, 60},  {32, 32},  {33, 80},
                                {64, 106}, {140, 150}, {517, 96}, {96, 300}, {48, 1030}};

}  // namespace

TEST(linear_matches_a_double_reference_at_odd_sizes) {
  for_each_backend([](Backend& backend) {
    Random random(1);
    for (const auto& [out, in] : kOddSizes) {
      const Layer layer(out, in, random);
      const auto packed = backend.pack(std::vector{layer.slice()});
      CHECK_EQ(packed->out_features(), out);
      CHECK_EQ(packed->in_features(), in);
      for (const int64_t rows : {1, 2, 5, 16, 29}) {
        const std::vector<float> x = random.normal(rows * in);
        const std::vector<float> y = run(backend, *packed, x, rows, out);
        for (int64_t r = 0; r < rows; ++r) {
          for (int64_t c = 0; c < out; ++c) {
            CHECK_NEAR(y[static_cast<size_t>(r * out + c)], dot(backend, layer, c, x.data() + r * in), kTolerance);
          }
        }
      }
    }
  });
}

TEST(linear_stacks_slices_with_and_without_bias) {
  for_each_backend([](Backend& backend) {
    Random random(2);
    const Layer q(60, 44, random);
    Layer k(20, 44, random);
    const auto packed = backend.pack(std::vector{q.slice(), k.slice(false)});
    std::fill(k.bias.begin(), k.bias.end(), 0.0F);
    const std::vector<float> x = random.normal(3 * 44);
    const std::vector<float> y = run(backend, *packed, x, 3, 80);
    for (int64_t r = 0; r < 3; ++r) {
      for (int64_t c = 0; c < 80; ++c) {
        const double expected = c < 60 ? dot(backend, q, c, x.data() + r * 44) : dot(backend, k, c - 60, x.data() + r * 44);
        CHECK_NEAR(y[static_cast<size_t>(r * 80 + c)], expected, kTolerance);
      }
    }
  });
}

TEST(linear_fuses_activation_and_an_aliased_residual) {
  for_each_backend([](Backend& backend) {
    Random random(3);
    const Layer layer(70, 50, random);
    const auto packed = backend.pack(std::vector{layer.slice()});
    for (const Activation activation :
         {Activation::kNone, Activation::kSilu, Activation::kGeluErf, Activation::kGeluTanh, Activation::kQuickGelu}) {
      for (const int64_t rows : {1, 20}) {
        const std::vector<float> x = random.normal(rows * 50);
        const std::vector<float> residual = random.normal(rows * 70);
        std::vector<float> y = residual;
        const Matrix out(y.data(), rows, 70);
        backend.linear(*packed, ConstMatrix(x.data(), rows, 50), out, {activation, out});
        for (int64_t i = 0; i < rows * 70; ++i) {
          const double sum = dot(backend, layer, i % 70, x.data() + i / 70 * 50);
          CHECK_NEAR(y[static_cast<size_t>(i)], activate(activation, sum) + residual[static_cast<size_t>(i)], kTolerance);
        }
      }
    }
  });
}

TEST(gated_pair_multiplies_activated_gate_and_up) {
  for_each_backend([](Backend& backend) {
    Random random(4);
    for (const int64_t ffn : {1, 32, 70, 150}) {
      const Layer gate(ffn, 45, random);
      const Layer up(ffn, 45, random);
      const auto packed = backend.pack_gated(gate.slice(), up.slice());
      CHECK_EQ(packed->out_features(), 2 * ffn);
      for (const int64_t rows : {1, 2, 14}) {
        const std::vector<float> x = random.normal(rows * 45);
        const std::vector<float> y = run(backend, *packed, x, rows, ffn, {Activation::kSilu, {}});
        for (int64_t i = 0; i < rows * ffn; ++i) {
          const float* row = x.data() + i / ffn * 45;
          const double expected =
              activate(Activation::kSilu, dot(backend, gate, i % ffn, row)) * dot(backend, up, i % ffn, row);
          CHECK_NEAR(y[static_cast<size_t>(i)], expected, 5 * kTolerance);
        }
      }
    }
  });
}

TEST(a_row_has_the_same_bits_whatever_the_row_count) {
  for_each_backend([](Backend& backend) {
    Random random(5);
    const int64_t in = 601;
    const int64_t out = 333;
    const Layer layer(out, in, random);
    const Layer up(out, in, random);
    const auto packed = backend.pack(std::vector{layer.slice()});
    const auto gated = backend.pack_gated(layer.slice(), up.slice());
    const std::vector<float> x = random.normal(513 * in);
    const std::vector<float> all = run(backend, *packed, x, 513, out);
    const std::vector<float> all_gated = run(backend, *gated, x, 513, out, {Activation::kSilu, {}});
    for (const int64_t rows : {1, 2, 3, 16, 17, 64}) {
      const int64_t first = random.below(static_cast<int32_t>(513 - rows));
      const std::vector<float> some(x.begin() + first * in, x.begin() + (first + rows) * in);
      const std::vector<float> y = run(backend, *packed, some, rows, out);
      CHECK(std::memcmp(y.data(), all.data() + first * out, y.size() * sizeof(float)) == 0);
      const std::vector<float> z = run(backend, *gated, some, rows, out, {Activation::kSilu, {}});
      CHECK(std::memcmp(z.data(), all_gated.data() + first * out, z.size() * sizeof(float)) == 0);
    }
  });
}

TEST(threads_do_not_change_bits) {
  for (const std::string& isa : available_isas()) {
    std::vector<std::vector<float>> results;
    for (const int num_threads : {1, 2, 5}) {
      const auto backend = create({isa, false, DType::kBFloat16}, num_threads);
      Random random(6);
      const Layer layer(400, 700, random);
      const auto packed = backend->pack(std::vector{layer.slice()});
      results.push_back(run(*backend, *packed, random.normal(90 * 700), 90, 400));
    }
    CHECK(results[0] == results[1]);
    CHECK(results[0] == results[2]);
  }
}

TEST(linear_reads_overlapping_rows) {
  for_each_backend([](Backend& backend) {
    Random random(7);
    const Layer layer(24, 30, random);
    const auto packed = backend.pack(std::vector{layer.slice()});
    const std::vector<float> x = random.normal(30 + 19 * 10);
    std::vector<float> y(20 * 24);
    backend.linear(*packed, ConstMatrix(x.data(), 20, 30, 10), Matrix(y.data(), 20, 24), {});
    for (int64_t i = 0; i < 20 * 24; ++i) {
      CHECK_NEAR(y[static_cast<size_t>(i)], dot(backend, layer, i % 24, x.data() + i / 24 * 10), kTolerance);
    }
  });
}

TEST(embedding_reads_rows_of_the_packed_table) {
  for_each_backend([](Backend& backend) {
    Random random(8);
    const Layer table(517, 106, random);
    const auto packed = backend.pack(std::vector{table.slice(false)});
    const std::vector<int32_t> ids = {0, 516, 15, 16, 17, 31, 32, 33, 0, 250};
    std::vector<float> y(ids.size() * 106);
    backend.embedding(*packed, ids, Matrix(y.data(), static_cast<int64_t>(ids.size()), 106));
    for (size_t i = 0; i < y.size(); ++i) {
      const float weight = table.weight[static_cast<size_t>(ids[i / 106]) * 106 + i % 106];
      CHECK_EQ(y[i], round_to(backend.compute_dtype(), weight));
    }
  });
}

TEST(pack_converts_every_float_dtype) {
  for_each_backend([](Backend& backend) {
    const std::vector<uint16_t> bfloat16 = {0x3f80, 0xc000, 0x3e80, 0x0000};  // 1, -2, 0.25, 0
    const std::vector<uint16_t> float16 = {0x3c00, 0xc000, 0x3400, 0x0000};
    const std::vector<float> float32 = {1.0F, -2.0F, 0.25F, 0.0F};
    const std::vector<double> float64 = {1.0, -2.0, 0.25, 0.0};
    const std::vector<int32_t> ids = {0, 1};
    const std::pair<const void*, DType> forms[] = {{bfloat16.data(), DType::kBFloat16},
                                                   {float16.data(), DType::kFloat16},
                                                   {float32.data(), DType::kFloat32},
                                                   {float64.data(), DType::kFloat64}};
    for (const auto& [data, dtype] : forms) {
      WeightSlice slice;
      slice.weight = {data, dtype, {2, 2}};
      const auto packed = backend.pack(std::vector{slice});
      std::vector<float> y(4);
      backend.embedding(*packed, ids, Matrix(y.data(), 2, 2));
      CHECK(y == std::vector<float>({1.0F, -2.0F, 0.25F, 0.0F}));
    }
  });
}

TEST(pack_refuses_slices_that_do_not_fit) {
  for_each_backend([](Backend& backend) {
    Random random(9);
    const Layer a(4, 6, random);
    const Layer b(4, 7, random);
    const Layer c(5, 6, random);
    CHECK_THROWS(backend.pack(std::vector{a.slice(), b.slice()}), ErrorCode::kInvalidArgument);
    CHECK_THROWS(backend.pack({}), ErrorCode::kInvalidArgument);
    CHECK_THROWS(backend.pack_gated(a.slice(), c.slice()), ErrorCode::kInvalidArgument);
    WeightSlice bad_bias = a.slice();
    bad_bias.bias = view(c.bias, {5});
    CHECK_THROWS(backend.pack(std::vector{bad_bias}), ErrorCode::kInvalidArgument);
    WeightSlice bad_dtype = a.slice();
    bad_dtype.weight.dtype = DType::kInt32;
    CHECK_THROWS(backend.pack(std::vector{bad_dtype}), ErrorCode::kInvalidArgument);
  });
}
