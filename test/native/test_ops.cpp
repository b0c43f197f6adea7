#include <cmath>
#include <cstdint>
#include <cstring>
#include <numeric>
#include <string>
#include <vector>

#include "backend_testing.h"
#include "check.h"
#include "core/error.h"
#include "golden_tensors.h"
#include "ops/activation.h"
#include "ops/attention.h"
#include "ops/elementwise.h"
#include "ops/embedding.h"
#include "ops/gather.h"
#include "ops/kv_cache.h"
#include "ops/linear.h"
#include "ops/norm.h"
#include "ops/pooling.h"
#include "ops/resize_grid.h"
#include "ops/rope.h"

using namespace sensorium;
using sensorium::testing::for_each_backend;
using sensorium::testing::Random;

namespace {

Matrix matrix(std::vector<float>& values, int64_t rows) {
  return {values.data(), rows, static_cast<int64_t>(values.size()) / rows};
}

Tensor vector_tensor(const std::vector<float>& values) {
  return Tensor::from(testing::view(values, {static_cast<int64_t>(values.size())}));
}

/// Message of the kInvalidArgument that `call` throws, empty when it throws none.
template <typename Call>
std::string refusal(const Call& call) {
  try {
    call();
    return "";
  } catch (const Error& error) {
    CHECK_EQ(error.code(), ErrorCode::kInvalidArgument);
    return error.what();
  }
}

bool contains(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }

std::unique_ptr<Backend> generic() { return testing::create({"generic"}); }

}  // namespace

TEST(shape_errors_name_operand_found_and_expected) {
  const auto backend = generic();
  std::vector<float> x(6), y(4);
  const Tensor weight = vector_tensor({1, 1});
  const std::string message = refusal([&] { ops::rms_norm(*backend, matrix(x, 2), weight, 1e-6F, matrix(y, 2)); });
  for (const char* part : {"rms_norm", "weight", "[2]", "[3]"}) CHECK(contains(message, part));
  const Tensor right = vector_tensor({1, 1, 1});
  CHECK(contains(refusal([&] { ops::rms_norm(*backend, matrix(x, 2), right, 1e-6F, matrix(y, 2)); }), "y is [2, 2]"));
  CHECK(contains(refusal([&] { ops::layer_norm(*backend, matrix(x, 2), right, weight, 1e-6F, matrix(x, 2)); }), "bias"));
  CHECK(!refusal([&] { ops::add(*backend, matrix(x, 2), matrix(y, 2)); }).empty());
  CHECK(!refusal([&] { ops::activate(*backend, matrix(x, 2), Activation::kSilu, matrix(y, 2)); }).empty());
}

TEST(linear_checks_its_operands) {
  for_each_backend([](Backend& backend) {
    Random random(1);
    const auto values = random.normal(6 * 4);
    const WeightSlice slice{testing::view(values, {6, 4}), std::nullopt};
    const auto plain = backend.pack(std::span(&slice, 1));
    const auto gated = backend.pack_gated(slice, slice);
    std::vector<float> x(2 * 4), narrow(2 * 3), y(2 * 6), wide(2 * 12);
    ops::linear(backend, *plain, matrix(x, 2), matrix(y, 2));
    ops::linear(backend, *gated, matrix(x, 2), matrix(y, 2), {Activation::kSilu, {}});
    CHECK(contains(refusal([&] { ops::linear(backend, *plain, matrix(narrow, 2), matrix(y, 2)); }),
                   "columns of x is 3, expected 4"));
    CHECK(contains(refusal([&] { ops::linear(backend, *gated, matrix(x, 2), matrix(wide, 2)); }), "[2, 6]"));
    const Epilogue residual{Activation::kNone, matrix(narrow, 2)};
    CHECK(contains(refusal([&] { ops::linear(backend, *plain, matrix(x, 2), matrix(y, 2), residual); }), "residual"));
  });
}

TEST(embedding_refuses_ids_outside_the_table) {
  for_each_backend([](Backend& backend) {
    Random random(2);
    const auto values = random.normal(5 * 8);
    const WeightSlice slice{testing::view(values, {5, 8}), std::nullopt};
    const auto table = backend.pack(std::span(&slice, 1));
    std::vector<float> y(3 * 8);
    const std::vector<int32_t> ids = {4, 0, 2}, high = {0, 5, 1}, negative = {0, 1, -1};
    ops::embedding(backend, *table, ids, matrix(y, 3));
    for (size_t r = 0; r < 3; ++r) {
      for (size_t c = 0; c < 8; ++c) {
        const float expected = testing::round_to(backend.compute_dtype(), values[static_cast<size_t>(ids[r]) * 8 + c]);
        CHECK_EQ(y[r * 8 + c], expected);
      }
    }
    CHECK(contains(refusal([&] { ops::embedding(backend, *table, high, matrix(y, 3)); }), "token id is 5"));
    CHECK(contains(refusal([&] { ops::embedding(backend, *table, negative, matrix(y, 3)); }), "token id is -1"));
  });
}

TEST(rms_norm_heads_gives_the_same_bits_for_every_layout) {
  for_each_backend([](Backend& backend) {
    constexpr int64_t kHeads = 6, kHeadDim = 20, kWidth = kHeads * kHeadDim;
    Random random(3);
    const Tensor weight = vector_tensor(random.normal(kHeadDim));
    for (const int64_t rows : {1, 3, 6, 7, 50}) {
      const auto x = random.normal(rows * kWidth);
      std::vector<float> dense = x, strided(static_cast<size_t>(rows * (kWidth + 4)));
      const Matrix view(strided.data(), rows, kWidth, kWidth + 4);
      for (int64_t r = 0; r < rows; ++r) std::copy_n(x.begin() + r * kWidth, kWidth, view.row(r));
      ops::rms_norm_heads(backend, matrix(dense, rows), kHeads, weight, 1e-6F);
      ops::rms_norm_heads(backend, view, kHeads, weight, 1e-6F);
      for (int64_t r = 0; r < rows; ++r) CHECK(std::equal(view.row(r), view.row(r) + kWidth, dense.begin() + r * kWidth));
      double squares = 0;
      for (size_t i = 0; i < kHeadDim; ++i) squares += static_cast<double>(x[i]) * x[i];
      CHECK_NEAR(dense[0], x[0] / std::sqrt(squares / kHeadDim + 1e-6) * weight.data()[0], 1e-5);
    }
    std::vector<float> odd(13);
    CHECK(!refusal([&] { ops::rms_norm_heads(backend, matrix(odd, 1), kHeads, weight, 1e-6F); }).empty());
  });
}

TEST(l2_normalize_and_softmax) {
  const auto backend = generic();
  std::vector<float> x = {3, 4, 0, 0};
  ops::l2_normalize(*backend, matrix(x, 2));
  CHECK_NEAR(x[0], 0.6, 1e-7);
  CHECK_NEAR(x[1], 0.8, 1e-7);
  CHECK_EQ(x[2], 0.0F);

  std::vector<float> scores = {1000, 1001, 999, -5, -5, -5}, y(6);
  ops::softmax(*backend, matrix(scores, 2), matrix(y, 2));
  CHECK_NEAR(y[0], std::exp(-1.0) / (1 + std::exp(-1.0) + std::exp(-2.0)), 1e-6);
  CHECK_NEAR(y[0] + y[1] + y[2], 1.0, 1e-6);
  for (size_t i = 3; i < 6; ++i) CHECK_NEAR(y[i], 1.0 / 3.0, 1e-7);
}

TEST(elementwise_ops) {
  const auto backend = generic();
  std::vector<float> x = {1, 2, 3, 4}, y = {10, 20, 30, 40};
  ops::add_scaled(*backend, matrix(x, 2), 0.5F, matrix(y, 2));
  CHECK_EQ(y, (std::vector<float>{10.5F, 21, 31.5F, 42}));
  ops::copy(*backend, matrix(x, 2).columns(1, 1), matrix(y, 2).columns(0, 1));
  CHECK_EQ(y, (std::vector<float>{2, 21, 4, 42}));
  CHECK(!refusal([&] { ops::copy(*backend, matrix(x, 2), matrix(y, 4)); }).empty());
}

TEST(gather_and_scatter_move_groups) {
  const auto backend = generic();
  std::vector<float> x(6 * 2), y(4 * 2), back(6 * 2, -1.0F);
  std::iota(x.begin(), x.end(), 0.0F);
  const std::vector<int32_t> groups = {2, 0};
  ops::gather_rows(*backend, matrix(x, 6), groups, 2, matrix(y, 4));
  CHECK_EQ(y, (std::vector<float>{8, 9, 10, 11, 0, 1, 2, 3}));
  ops::scatter_rows(*backend, matrix(y, 4), groups, 2, matrix(back, 6));
  CHECK_EQ(back, (std::vector<float>{0, 1, 2, 3, -1, -1, -1, -1, 8, 9, 10, 11}));
  const std::vector<int32_t> outside = {3, 0}, negative = {-1, 0};
  CHECK(contains(refusal([&] { ops::gather_rows(*backend, matrix(x, 6), outside, 2, matrix(y, 4)); }), "index is 3"));
  CHECK(!refusal([&] { ops::gather_rows(*backend, matrix(x, 6), negative, 2, matrix(y, 4)); }).empty());
  CHECK(!refusal([&] { ops::gather_rows(*backend, matrix(x, 6), groups, 3, matrix(y, 4)); }).empty());
  CHECK(!refusal([&] { ops::gather_rows(*backend, matrix(x, 6), groups, 0, matrix(y, 4)); }).empty());
  CHECK(!refusal([&] { ops::scatter_rows(*backend, matrix(y, 4), outside, 2, matrix(back, 6)); }).empty());
}

TEST(scatter_add_weighs_rows) {
  const auto backend = generic();
  std::vector<float> x = {1, 2, 3, 4}, y(3 * 2, 10.0F);
  const std::vector<int32_t> rows = {2, 0}, outside = {3, 0};
  const std::vector<float> scales = {0.5F, 2.0F};
  ops::scatter_add_rows(*backend, matrix(x, 2), rows, scales, matrix(y, 3));
  CHECK_EQ(y, (std::vector<float>{16, 18, 10, 10, 10.5F, 11}));
  CHECK(!refusal([&] { ops::scatter_add_rows(*backend, matrix(x, 2), outside, scales, matrix(y, 3)); }).empty());
  CHECK(!refusal([&] { ops::scatter_add_rows(*backend, matrix(x, 2), rows, {scales.data(), 1}, matrix(y, 3)); }).empty());
}

TEST(large_moves_use_all_threads_and_stay_right) {
  const auto backend = generic();
  constexpr int64_t kRows = 3000, kCols = 40;
  Random random(4);
  auto x = random.normal(kRows * kCols);
  std::vector<float> y(x.size()), z(x.size());
  std::vector<int32_t> order(kRows);
  std::iota(order.begin(), order.end(), 0);
  std::shuffle(order.begin(), order.end(), random.engine());
  ops::gather_rows(*backend, matrix(x, kRows), order, 1, matrix(y, kRows));
  ops::scatter_rows(*backend, matrix(y, kRows), order, 1, matrix(z, kRows));
  CHECK_EQ(x, z);
}

TEST(avg_pool_pairs_drops_an_odd_row) {
  const auto backend = generic();
  std::vector<float> x = {1, 10, 3, 20, 5, 30, 7, 40, 100, 100}, y(4);
  ops::avg_pool_pairs(*backend, matrix(x, 5), matrix(y, 2));
  CHECK_EQ(y, (std::vector<float>{2, 15, 6, 35}));
  CHECK(!refusal([&] { ops::avg_pool_pairs(*backend, matrix(x, 2), matrix(y, 2)); }).empty());
}

TEST(rope_tables_follow_positions) {
  const auto backend = generic();
  const std::vector<float> positions = {0, 1, 17.5F, 4000}, inv_freq = {1.0F, 0.1F, 0.001F};
  std::vector<float> cos(12), sin(12);
  ops::rope_tables(*backend, positions, inv_freq, 1.19F, matrix(cos, 4), matrix(sin, 4));
  for (size_t r = 0; r < 4; ++r) {
    for (size_t j = 0; j < 3; ++j) {
      const double angle = positions[r] * inv_freq[j];  // in float32, as the checkpoints were trained
      CHECK_NEAR(cos[r * 3 + j], 1.19F * std::cos(angle), 1e-6);
      CHECK_NEAR(sin[r * 3 + j], 1.19F * std::sin(angle), 1e-6);
    }
  }
  CHECK(!refusal([&] { ops::rope_tables(*backend, positions, inv_freq, 1, matrix(cos, 3), matrix(sin, 4)); }).empty());
}

TEST(mrope_sections_pick_their_axis) {
  const auto backend = generic();
  const std::vector<float> t = {1}, h = {2}, w = {3}, inv_freq(8, 1.0F);
  const auto axes = [&](const ops::MropeSections& sections) {
    std::vector<float> cos(8), sin(8);
    ops::mrope_tables(*backend, t, h, w, sections, inv_freq, 1.0F, matrix(cos, 1), matrix(sin, 1));
    std::string found;
    for (size_t j = 0; j < 8; ++j) {
      for (int axis = 0; axis < 3; ++axis) {
        if (cos[j] == std::cos(static_cast<float>(axis + 1)) && sin[j] == std::sin(static_cast<float>(axis + 1)))
          found += "thw"[axis];
      }
    }
    return found;
  };
  CHECK_EQ(axes({{2, 3, 3}, false}), "tthhhwww");
  CHECK_EQ(axes({{4, 2, 2}, true}), "thwthwtt");
  CHECK_EQ(axes({{3, 3, 2}, true}), "thwthwth");
  CHECK(contains(refusal([&] { (void)axes({{2, 3, 2}, false}); }), "sections"));
}

TEST(rope_2d_tables_put_height_before_width) {
  const auto backend = generic();
  const std::vector<float> h = {0, 5}, w = {7, 1}, inv_freq = {1.0F, 0.01F};
  std::vector<float> cos(8), sin(8);
  ops::rope_2d_tables(*backend, h, w, inv_freq, matrix(cos, 2), matrix(sin, 2));
  CHECK_EQ(cos[0], 1.0F);
  CHECK_EQ(cos[2], std::cos(7.0F));
  CHECK_EQ(sin[4], std::sin(5.0F));
  CHECK_EQ(sin[7], std::sin(0.01F));
  std::vector<float> narrow(6);
  CHECK(!refusal([&] { ops::rope_2d_tables(*backend, h, w, inv_freq, matrix(narrow, 2), matrix(sin, 2)); }).empty());
}

TEST(rope_checks_its_operands) {
  const auto backend = generic();
  std::vector<float> x(2 * 8), table(2 * 2), wide(2 * 3);
  ops::rope(*backend, matrix(x, 2), 2, 4, matrix(table, 2), matrix(table, 2));
  CHECK(!refusal([&] { ops::rope(*backend, matrix(x, 2), 3, 4, matrix(table, 2), matrix(table, 2)); }).empty());
  CHECK(!refusal([&] { ops::rope(*backend, matrix(x, 2), 2, 4, matrix(wide, 2), matrix(wide, 2)); }).empty());
  CHECK(!refusal([&] { ops::rope(*backend, matrix(x, 2), 2, 4, matrix(table, 2), matrix(wide, 2)); }).empty());
  CHECK(!refusal([&] { ops::rope(*backend, matrix(x, 2), 2, 4, matrix(table, 1), matrix(table, 1)); }).empty());
}

TEST(segment_attention_checks_segments_and_heads) {
  const auto backend = generic();
  std::vector<float> q(4 * 8), kv(4 * 4), out(4 * 8);
  const auto attend = [&](const ops::HeadShape& heads, const std::vector<int32_t>& segments) {
    return refusal([&] {
      ops::segment_attention(*backend, matrix(q, 4), matrix(kv, 4), matrix(kv, 4), heads, 0.5F, segments, matrix(out, 4));
    });
  };
  const ops::HeadShape heads{2, 1, 4};
  CHECK_EQ(attend(heads, {0, 1, 1, 4}), "");
  for (const std::vector<int32_t>& segments : {std::vector<int32_t>{}, {0}, {0, 3}, {0, 5}, {1, 4}, {0, 3, 2, 4}}) {
    CHECK(contains(attend(heads, segments), "cu_seqlens"));
  }
  CHECK(!attend({3, 2, 4}, {0, 4}).empty());
  CHECK(!attend({0, 1, 4}, {0, 4}).empty());
  CHECK(contains(attend({2, 2, 4}, {0, 4}), "k is [4, 4], expected [4, 8]"));
}

TEST(paged_attention_checks_what_it_would_read) {
  const auto backend = generic();
  const auto cache = backend->create_kv_cache({1, 3, 4, 1, 4});
  std::vector<float> q(2 * 8), kv(2 * 4), out(2 * 8);
  const std::vector<int32_t> slots = {8, 9}, outside = {8, 12}, negative = {-1, 0};
  ops::write_kv(*backend, *cache, 0, matrix(kv, 2), matrix(kv, 2), slots);
  CHECK(contains(refusal([&] { ops::write_kv(*backend, *cache, 0, matrix(kv, 2), matrix(kv, 2), outside); }), "slot is 12"));
  CHECK(!refusal([&] { ops::write_kv(*backend, *cache, 0, matrix(kv, 2), matrix(kv, 2), negative); }).empty());
  CHECK(!refusal([&] { ops::write_kv(*backend, *cache, 0, matrix(kv, 2), matrix(kv, 2), std::span(slots).first(1)); }).empty());

  const std::vector<int32_t> table = {2}, wrong_table = {3};
  const auto attend = [&](const PagedSequence& sequence) {
    return refusal([&] {
      ops::paged_attention(*backend, *cache, 0, matrix(q, 2), {2, 1, 4}, 0.5F, std::span(&sequence, 1), matrix(out, 2));
    });
  };
  CHECK_EQ(attend({0, 2, 2, table}), "");
  CHECK(contains(attend({1, 2, 2, table}), "last row"));
  CHECK(contains(attend({0, 2, 1, table}), "kv_length"));
  CHECK(contains(attend({0, 2, 5, table}), "block_table is shorter"));
  CHECK(contains(attend({0, 2, 2, wrong_table}), "block of block_table is 3"));
  CHECK(!attend({-1, 1, 1, table}).empty());
}

TEST(resize_grid_equals_the_reference) {
  const golden::Tensors tensors(golden::root() / "components" / "resize" / "data.safetensors");
  const auto backend = generic();
  /// [3, height, width] as rows of 3.
  const auto rows_of = [&](const std::string& name) {
    const std::vector<float> planes = tensors.get<float>(name);
    std::vector<float> rows(planes.size());
    for (size_t i = 0; i < planes.size(); ++i) rows[i % (planes.size() / 3) * 3 + i / (planes.size() / 3)] = planes[i];
    return rows;
  };
  const std::vector<float> in = rows_of("interp.in");
  const ops::GridSize from{33, 47};
  for (const ops::GridSize& to : {ops::GridSize{24, 24}, {33, 12}, {70, 50}}) {
    const std::vector<float> expected =
        rows_of("interp.bilinear." + std::to_string(to.height) + "x" + std::to_string(to.width));
    std::vector<float> found(expected.size());
    ops::resize_grid(*backend, ConstMatrix(in.data(), from.num_cells(), 3), from, to, Matrix(found.data(), to.num_cells(), 3));
    for (size_t i = 0; i < found.size(); ++i) CHECK_NEAR(found[i], expected[i], 1e-5);
  }
  std::vector<float> out(6);
  const auto resize = [&](const ops::GridSize& size) {
    return refusal([&] { ops::resize_grid(*backend, ConstMatrix(in.data(), 33 * 47, 3), size, {1, 2}, matrix(out, 2)); });
  };
  CHECK_EQ(resize(from), "");
  CHECK(contains(resize({33, 46}), "rows of x"));
  CHECK(contains(resize({0, 47}), "empty"));
}
