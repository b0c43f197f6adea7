#include "models/minicpm_v/resampler.h"

#include <array>
#include <cmath>

#include "ops/attention.h"
#include "ops/elementwise.h"
#include "ops/parallel_rows.h"

namespace sensorium {
namespace {

constexpr float kNormEps = 1e-6F;
constexpr int64_t kHeadDim = 128;

Tensor load_queries(const Resampler::Size& size, WeightLoader& loader) {
  Tensor query = loader.tensor("query", {size.num_queries, size.text_width});
  const Matrix rows(query.data(), size.num_queries, size.text_width);
  Norm::layer(loader, "ln_q", size.text_width, kNormEps).forward(loader.backend(), rows, rows);
  return query;
}

/// One third of the joint input projection: 0 for queries, 1 for keys, 2 for values.
Linear load_input(WeightLoader& loader, int64_t width, int64_t third) {
  return {loader.matrix_rows({"attn.in_proj_weight", "attn.in_proj_bias"}, {3 * width, width}, third * width, width), width};
}

/// kv plus the place of each patch: sines and cosines of its column, then of its row.
void add_places(Backend& backend, ConstMatrix kv, int64_t width, Matrix keys) {
  const int64_t quarter = kv.cols / 4;
  std::vector<float> frequencies(static_cast<size_t>(quarter));
  for (int64_t i = 0; i < quarter; ++i) {
    const double exponent = static_cast<double>(i) / static_cast<double>(quarter);
    frequencies[static_cast<size_t>(i)] = static_cast<float>(1.0 / std::pow(10000.0, exponent));
  }
  ops::for_each_row(backend, kv.rows, 8 * kv.cols, [&](int64_t r) {
    const std::array<float, 2> places{static_cast<float>(r % width), static_cast<float>(r / width)};
    for (int64_t c = 0; c < kv.cols; ++c) {
      const float angle = places[static_cast<size_t>(c / (2 * quarter))] * frequencies[static_cast<size_t>(c % quarter)];
      keys.row(r)[c] = kv.row(r)[c] + (c / quarter % 2 == 0 ? std::sin(angle) : std::cos(angle));
    }
  });
}

}  // namespace

Resampler::Resampler(const Size& size, WeightLoader loader)
    : size_(size),
      backend_(loader.backend()),
      query_(load_queries(size, loader)),
      kv_(Linear::load(loader, size.vision_width, {{"kv_proj", size.text_width}})),
      kv_norm_(Norm::layer(loader, "ln_kv", size.text_width, kNormEps)),
      q_in_(load_input(loader, size.text_width, 0)),
      k_in_(load_input(loader, size.text_width, 1)),
      v_in_(load_input(loader, size.text_width, 2)),
      out_(Linear::load(loader, size.text_width, {{"attn.out_proj", size.text_width, true}})),
      post_norm_(Norm::layer(loader, "ln_post", size.text_width, kNormEps)),
      projection_(loader.transposed("proj", size.text_width, size.text_width), size.text_width) {}

void Resampler::forward(ConstMatrix patches, int64_t height, int64_t width, Arena& arena, Matrix output) const {
  Arena::Scope scope(arena);
  const int64_t num_patches = height * width, cols = size_.text_width, num_queries = size_.num_queries;
  const Matrix kv = arena.matrix(num_patches, cols), placed = arena.matrix(num_patches, cols);
  kv_.forward(backend_, patches, kv);
  kv_norm_.forward(backend_, kv, kv);
  add_places(backend_, kv, width, placed);
  const Matrix q = arena.matrix(num_queries, cols), keys = arena.matrix(num_patches, cols);
  const Matrix values = arena.matrix(num_patches, cols);
  q_in_.forward(backend_, ConstMatrix(query_.data(), num_queries, cols), q);
  k_in_.forward(backend_, placed, keys);
  v_in_.forward(backend_, kv, values);
  const Matrix attended = arena.matrix(num_queries, cols), joined = arena.matrix(num_queries, cols);
  const ops::HeadShape heads{cols / kHeadDim, cols / kHeadDim, kHeadDim};
  const std::array<int32_t, 2> bounds{0, static_cast<int32_t>(num_queries)};
  ops::segment_attention(backend_, q, keys, values, heads, 1.0F / std::sqrt(static_cast<float>(kHeadDim)), bounds, attended);
  out_.forward(backend_, attended, joined);
  post_norm_.forward(backend_, joined, joined);
  projection_.forward(backend_, joined, output);
}

}  // namespace sensorium
