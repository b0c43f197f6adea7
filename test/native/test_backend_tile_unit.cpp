#include <cmath>
#include <cstring>

#include "backend/cpu/table.h"
#include "backend_testing.h"

using namespace sensorium;
using namespace sensorium::testing;

namespace {

float flush(float value) { return std::fpclassify(value) == FP_SUBNORMAL ? std::copysign(0.0F, value) : value; }

/// One element of TDPBF16PS: the even and the odd products of 16 pairs are two fused chains from zero, their sum is added to
/// the element; denormals are zero on the way in and out.
float dot_tile(float sum, const float* x, const float* weight) {
  float chains[2] = {0.0F, 0.0F};
  for (int64_t k = 0; k < kTileDepth; ++k) chains[k % 2] = flush(std::fma(flush(x[k]), flush(weight[k]), chains[k % 2]));
  return flush(flush(sum) + flush(chains[0] + chains[1]));
}

struct Problem {
  int64_t rows;
  int64_t in;
  int64_t out;
  std::vector<float> x;
  std::vector<float> weight;
};

Problem make_problem(int64_t rows, int64_t in, int64_t out, Random& random) {
  Problem problem{rows, in, out, random.normal(rows * in), random.normal(out * in)};
  for (auto* values : {&problem.x, &problem.weight}) {
    for (float& value : *values) value = round_to(DType::kBFloat16, value);
  }
  return problem;
}

std::vector<float> reference(const Problem& p) {
  const int64_t depth = (p.in + kTileDepth - 1) / kTileDepth * kTileDepth;
  std::vector<float> y;
  for (int64_t r = 0; r < p.rows; ++r) {
    std::vector<float> x(p.x.begin() + r * p.in, p.x.begin() + (r + 1) * p.in);
    x.resize(static_cast<size_t>(depth), 0.0F);
    for (int64_t c = 0; c < p.out; ++c) {
      std::vector<float> weight(p.weight.begin() + c * p.in, p.weight.begin() + (c + 1) * p.in);
      weight.resize(static_cast<size_t>(depth), 0.0F);
      float sum = 0.0F;
      for (int64_t k = 0; k < depth; k += kTileDepth) sum = dot_tile(sum, x.data() + k, weight.data() + k);
      y.push_back(sum);
    }
  }
  return y;
}

std::vector<float> multiply(Backend& backend, const Problem& p) {
  WeightSlice slice;
  slice.weight = view(p.weight, {p.out, p.in});
  const auto packed = backend.pack(std::vector{slice});
  std::vector<float> y(static_cast<size_t>(p.rows * p.out));
  backend.linear(*packed, ConstMatrix(p.x.data(), p.rows, p.in), Matrix(y.data(), p.rows, p.out), {});
  return y;
}

bool is_equal(const std::vector<float>& a, const std::vector<float>& b) {
  return a.size() == b.size() && std::memcmp(a.data(), b.data(), a.size() * sizeof(float)) == 0;
}

/// Every making of the tile unit that runs here.
std::vector<std::unique_ptr<Backend>> tile_backends() {
  std::vector<std::unique_ptr<Backend>> backends;
  backends.push_back(create({"amx", true, DType::kBFloat16}));
  if (available_isas().back() == "amx") backends.push_back(create({"amx", false, DType::kBFloat16}));
  for (const auto& backend : backends) std::printf("     on %s\n", describe(*backend).c_str());
  return backends;
}

}  // namespace

TEST(every_making_follows_the_instruction_to_the_bit) {
  Random random(1);
  for (const auto& [rows, in, out] :
       {std::tuple(1, 32, 16), std::tuple(5, 70, 40), std::tuple(33, 600, 50), std::tuple(64, 1100, 33)}) {
    const Problem problem = make_problem(rows, in, out, random);
    const std::vector<float> expected = reference(problem);
    for (const auto& backend : tile_backends()) CHECK(is_equal(multiply(*backend, problem), expected));
  }
}

TEST(denormal_operands_and_sums_count_as_zero) {
  const float denormal = std::ldexp(1.0F, -130);
  const float tiny = std::ldexp(1.0F, -100);
  Problem problem{1, 4, 3, {1.0F, 1.0F, tiny, 1.0F}, {}};
  problem.weight = {denormal,
                    0.0F,
                    0.0F,
                    0.0F,  // a denormal operand
                    std::ldexp(1.0F, -126),
                    std::ldexp(-1.5F, -126),
                    0,
                    0,  // a denormal sum of both chains
                    0.0F,
                    0.0F,
                    1.0F,
                    0.0F};  // nothing denormal
  for (const auto& backend : tile_backends()) {
    const std::vector<float> y = multiply(*backend, problem);
    CHECK_EQ(y[0], 0.0F);
    CHECK_EQ(y[1], 0.0F);
    CHECK_EQ(y[2], tiny);
  }
}

TEST(every_emulation_gives_the_same_bits) {
  Random random(2);
  std::vector<const TileKernels*> emulations = {&generic_emulated_tiles()};
  for (const std::string& isa : available_isas()) {
    if (isa == "avx2") emulations.push_back(&avx2_emulated_tiles());
    if (isa == "avx512") emulations.push_back(&avx512_emulated_tiles());
  }
  const Problem problem = make_problem(20, 96, 32, random);
  const int64_t depth_tiles = 96 / kTileDepth;
  // Weights as columns of tiles: [depth tiles][2 column tiles][16 pairs][16 columns][2].
  std::vector<uint16_t> panel(static_cast<size_t>(depth_tiles * 2 * kTileElements));
  for (int64_t c = 0; c < 32; ++c) {
    for (int64_t k = 0; k < 96; ++k) {
      const int64_t tile = k / kTileDepth * 2 + c / kTileSize;
      const int64_t index = tile * kTileElements + k % kTileDepth / 2 * kTileDepth + c % kTileSize * 2 + k % 2;
      panel[static_cast<size_t>(index)] = to_bfloat16(problem.weight[static_cast<size_t>(c * 96 + k)]).bits;
    }
  }
  LinearCall call;
  call.panels = panel.data();
  call.dtype = DType::kBFloat16;
  call.in_features = 96;
  call.num_columns = 32;
  call.x = ConstMatrix(problem.x.data(), 20, 96);
  const std::vector<float> expected = reference(problem);
  for (const TileKernels* tiles : emulations) {
    std::vector<float> y(20 * 32);
    call.y = Matrix(y.data(), 20, 32);
    Buffer packed(static_cast<size_t>(2 * depth_tiles * kTileElements) * sizeof(uint16_t));
    Buffer scratch(static_cast<size_t>(tiles->linear_scratch(call, 20, 1)) * sizeof(float));
    tiles->pack_rows(call.x, {0, 2}, static_cast<uint16_t*>(packed.data()));
    tiles->linear(call, static_cast<const uint16_t*>(packed.data()), {0, 20}, {0, 1}, static_cast<float*>(scratch.data()));
    CHECK(is_equal(y, expected));
  }
}
