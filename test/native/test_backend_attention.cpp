#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>

#include "backend_testing.h"
#include "core/error.h"

using namespace sensorium;
using namespace sensorium::testing;

namespace {

/// Heads of one attention.
struct Heads {
  int64_t num_heads;
  int64_t num_kv_heads;
  int64_t head_dim;
  float scale() const { return 1.0F / std::sqrt(static_cast<float>(head_dim)); }
};

const Heads kHeads[] = {{1, 1, 1}, {4, 2, 20}, {3, 3, 32}, {14, 2, 64}, {2, 2, 80}, {5, 1, 106}, {2, 1, 300}};

/// Attention of one query row over keys [begin, end) in double.
std::vector<double> attend(const Heads& heads, int64_t head, const float* q, const std::vector<float>& k,
                           const std::vector<float>& v, int64_t begin, int64_t end) {
  const int64_t kv_stride = heads.num_kv_heads * heads.head_dim;
  const int64_t column = head / (heads.num_heads / heads.num_kv_heads) * heads.head_dim;
  std::vector<double> scores;
  for (int64_t j = begin; j < end; ++j) {
    double score = 0.0;
    for (int64_t d = 0; d < heads.head_dim; ++d) {
      score += static_cast<double>(q[d]) * k[static_cast<size_t>(j * kv_stride + column + d)];
    }
    scores.push_back(score * heads.scale());
  }
  const double max = *std::max_element(scores.begin(), scores.end());
  double total = 0.0;
  std::vector<double> out(static_cast<size_t>(heads.head_dim), 0.0);
  for (int64_t j = begin; j < end; ++j) {
    const double p = std::exp(scores[static_cast<size_t>(j - begin)] - max);
    total += p;
    for (int64_t d = 0; d < heads.head_dim; ++d) {
      out[static_cast<size_t>(d)] += p * v[static_cast<size_t>(j * kv_stride + column + d)];
    }
  }
  for (double& value : out) value /= total;
  return out;
}

void check_row(const Heads& heads, const float* q, const float* out, const std::vector<float>& k, const std::vector<float>& v,
               int64_t begin, int64_t end, double tolerance) {
  for (int64_t head = 0; head < heads.num_heads; ++head) {
    const std::vector<double> expected = attend(heads, head, q + head * heads.head_dim, k, v, begin, end);
    for (int64_t d = 0; d < heads.head_dim; ++d) {
      CHECK_NEAR(out[head * heads.head_dim + d], expected[static_cast<size_t>(d)], tolerance);
    }
  }
}

/// Tiles and dots round queries, keys, values and probabilities to bfloat16.
double segment_tolerance(const Backend& backend) { return backend.product_unit() != ProductUnit::kMultiplyAdd ? 0.04 : 1e-5; }

constexpr int64_t kBlockSize = 16;

/// One sequence's keys and values, and the blocks that hold them.
struct Sequence {
  int64_t length;
  std::vector<float> q;
  std::vector<float> k;
  std::vector<float> v;
  std::vector<int32_t> blocks;
};

Sequence make_sequence(const Backend& backend, const Heads& heads, int64_t length, std::vector<int32_t>& free_blocks,
                       int64_t block_size, Random& random) {
  Sequence sequence;
  sequence.length = length;
  sequence.q = random.normal(length * heads.num_heads * heads.head_dim);
  sequence.k = random.normal(length * heads.num_kv_heads * heads.head_dim);
  sequence.v = random.normal(length * heads.num_kv_heads * heads.head_dim);
  for (auto* values : {&sequence.k, &sequence.v}) {
    for (float& value : *values) value = round_to(backend.compute_dtype(), value);
  }
  for (int64_t i = 0; i < (length + block_size - 1) / block_size; ++i) {
    sequence.blocks.push_back(free_blocks.back());
    free_blocks.pop_back();
  }
  return sequence;
}

std::vector<int32_t> shuffled_blocks(int32_t num_blocks, Random& random) {
  std::vector<int32_t> blocks;
  for (int32_t i = 0; i < num_blocks; ++i) blocks.push_back(i);
  std::shuffle(blocks.begin(), blocks.end(), random.engine());
  return blocks;
}

std::vector<int32_t> slots_of(const Sequence& sequence, int64_t begin, int64_t end, int64_t block_size) {
  std::vector<int32_t> slots;
  for (int64_t i = begin; i < end; ++i) {
    slots.push_back(static_cast<int32_t>(sequence.blocks[static_cast<size_t>(i / block_size)] * block_size + i % block_size));
  }
  return slots;
}

/// Rows [begin, end) of a sequence in a step.
struct Chunk {
  const Sequence* sequence;
  int64_t begin;
  int64_t end;
};

/// Runs one step: writes the chunks' keys and values, attends, and returns their output rows one behind the other.
std::vector<float> step(Backend& backend, KvCache& cache, const Heads& heads, int64_t layer, const std::vector<Chunk>& chunks,
                        int64_t window = kWholeContext) {
  const int64_t q_size = heads.num_heads * heads.head_dim;
  const int64_t kv_size = heads.num_kv_heads * heads.head_dim;
  std::vector<float> q, k, v;
  std::vector<int32_t> slots;
  std::vector<PagedSequence> sequences;
  for (const auto& [sequence, begin, end] : chunks) {
    sequences.push_back(
        {static_cast<int32_t>(slots.size()), static_cast<int32_t>(end - begin), static_cast<int32_t>(end), sequence->blocks});
    q.insert(q.end(), sequence->q.begin() + begin * q_size, sequence->q.begin() + end * q_size);
    k.insert(k.end(), sequence->k.begin() + begin * kv_size, sequence->k.begin() + end * kv_size);
    v.insert(v.end(), sequence->v.begin() + begin * kv_size, sequence->v.begin() + end * kv_size);
    const std::vector<int32_t> more = slots_of(*sequence, begin, end, cache.block_size());
    slots.insert(slots.end(), more.begin(), more.end());
  }
  const auto rows = static_cast<int64_t>(slots.size());
  std::vector<float> out(q.size());
  backend.write_kv(cache, layer, ConstMatrix(k.data(), rows, kv_size), ConstMatrix(v.data(), rows, kv_size), slots);
  backend.paged_attention(cache, layer, ConstMatrix(q.data(), rows, q_size), heads.num_heads, heads.scale(), window, sequences,
                          Matrix(out.data(), rows, q_size));
  return out;
}

std::unique_ptr<KvCache> make_cache(Backend& backend, const Heads& heads, int64_t num_blocks, int64_t block_size = kBlockSize) {
  return backend.create_kv_cache({2, num_blocks, block_size, heads.num_kv_heads, heads.head_dim});
}

/// The last of two segments of rows asks keys [40, num_keys), fewer or more than it has rows.
void check_last_segment(Backend& backend, const Heads& heads, int64_t num_keys, Random& random) {
  const int64_t rows = 133;
  const int64_t q_size = heads.num_heads * heads.head_dim, kv_size = heads.num_kv_heads * heads.head_dim;
  const std::vector<float> q = random.normal(rows * q_size);
  const std::vector<float> k = random.normal(num_keys * kv_size);
  const std::vector<float> v = random.normal(num_keys * kv_size);
  std::vector<float> out(q.size(), -7.0F);
  const std::vector<int32_t> bounds = {0, 40, static_cast<int32_t>(rows)};
  backend.segment_attention(ConstMatrix(q.data(), rows, q_size), ConstMatrix(k.data(), num_keys, kv_size),
                            ConstMatrix(v.data(), num_keys, kv_size), heads.num_heads, heads.num_kv_heads, heads.head_dim,
                            heads.scale(), bounds, Matrix(out.data(), rows, q_size));
  for (int64_t r = 0; r < rows; r += 4) {
    const int64_t first = r < 40 ? 0 : 40, last = r < 40 ? 40 : num_keys;
    check_row(heads, q.data() + r * q_size, out.data() + r * q_size, k, v, first, last, segment_tolerance(backend));
  }
}

}  // namespace

TEST(segments_match_a_double_reference) {
  for_each_backend([](Backend& backend) {
    Random random(1);
    for (const Heads& heads : kHeads) {
      const std::vector<int32_t> bounds = {0, 4, 4, 5, 69, 133, 300};
      const int64_t rows = bounds.back();
      const int64_t q_size = heads.num_heads * heads.head_dim;
      const int64_t kv_size = heads.num_kv_heads * heads.head_dim;
      // Queries, keys and values side by side in one matrix, as a fused projection leaves them.
      const std::vector<float> q = random.normal(rows * q_size);
      const std::vector<float> k = random.normal(rows * kv_size);
      const std::vector<float> v = random.normal(rows * kv_size);
      const int64_t stride = q_size + 2 * kv_size;
      std::vector<float> qkv(static_cast<size_t>(rows * stride));
      for (int64_t r = 0; r < rows; ++r) {
        std::copy_n(q.data() + r * q_size, q_size, qkv.data() + r * stride);
        std::copy_n(k.data() + r * kv_size, kv_size, qkv.data() + r * stride + q_size);
        std::copy_n(v.data() + r * kv_size, kv_size, qkv.data() + r * stride + q_size + kv_size);
      }
      const ConstMatrix all(qkv.data(), rows, stride);
      std::vector<float> out(q.size(), -7.0F);
      backend.segment_attention(all.columns(0, q_size), all.columns(q_size, kv_size), all.columns(q_size + kv_size, kv_size),
                                heads.num_heads, heads.num_kv_heads, heads.head_dim, heads.scale(), bounds,
                                Matrix(out.data(), rows, q_size));
      for (size_t s = 0; s + 1 < bounds.size(); ++s) {
        for (int64_t r = bounds[s]; r < bounds[s + 1]; r += 3) {
          check_row(heads, q.data() + r * q_size, out.data() + r * q_size, k, v, bounds[s], bounds[s + 1],
                    segment_tolerance(backend));
        }
      }
    }
  });
}

TEST(the_last_segment_may_have_fewer_or_more_keys_than_rows) {
  for_each_backend([](Backend& backend) {
    Random random(7);
    for (const Heads& heads : kHeads) {
      for (const int64_t num_keys : {41, 101, 300}) check_last_segment(backend, heads, num_keys, random);
    }
  });
}

TEST(a_segment_has_the_same_bits_alone_and_among_others) {
  for_each_backend([](Backend& backend) {
    Random random(2);
    const Heads heads{4, 2, 40};
    const int64_t q_size = heads.num_heads * heads.head_dim;
    const int64_t kv_size = heads.num_kv_heads * heads.head_dim;
    const std::vector<float> q = random.normal(290 * q_size);
    const std::vector<float> k = random.normal(290 * kv_size);
    const std::vector<float> v = random.normal(290 * kv_size);
    const auto run = [&](int64_t begin, int64_t end, const std::vector<int32_t>& bounds) {
      std::vector<float> out(static_cast<size_t>((end - begin) * q_size));
      backend.segment_attention(ConstMatrix(q.data() + begin * q_size, end - begin, q_size),
                                ConstMatrix(k.data() + begin * kv_size, end - begin, kv_size),
                                ConstMatrix(v.data() + begin * kv_size, end - begin, kv_size), heads.num_heads,
                                heads.num_kv_heads, heads.head_dim, heads.scale(), bounds,
                                Matrix(out.data(), end - begin, q_size));
      return out;
    };
    const std::vector<float> all = run(0, 290, {0, 64, 70, 290});
    const std::vector<float> alone = run(70, 290, {0, 220});
    CHECK(std::memcmp(all.data() + 70 * q_size, alone.data(), alone.size() * sizeof(float)) == 0);
  });
}

TEST(paged_attention_matches_a_double_reference) {
  for_each_backend([](Backend& backend) {
    Random random(3);
    for (const Heads& heads : kHeads) {
      for (const int64_t block_size : {1, 5, 16, 100}) {
        std::vector<int32_t> free_blocks = shuffled_blocks(250, random);
        const auto cache = make_cache(backend, heads, 250, block_size);
        const Sequence a = make_sequence(backend, heads, 130, free_blocks, block_size, random);
        const Sequence b = make_sequence(backend, heads, 70, free_blocks, block_size, random);
        step(backend, *cache, heads, 1, {{&a, 0, 129}});
        const std::vector<float> out = step(backend, *cache, heads, 1, {{&b, 0, 70}, {&a, 129, 130}});
        const int64_t q_size = heads.num_heads * heads.head_dim;
        for (int64_t r = 0; r < 70; r += 7) {
          check_row(heads, b.q.data() + r * q_size, out.data() + r * q_size, b.k, b.v, 0, r + 1, 1e-5);
        }
        check_row(heads, a.q.data() + 129 * q_size, out.data() + 70 * q_size, a.k, a.v, 0, 130, 1e-5);
      }
    }
  });
}

TEST(a_window_hides_all_but_the_last_keys) {
  for_each_backend([](Backend& backend) {
    Random random(7);
    for (const Heads& heads : kHeads) {
      std::vector<int32_t> free_blocks = shuffled_blocks(64, random);
      const auto cache = make_cache(backend, heads, 64);
      const Sequence a = make_sequence(backend, heads, 300, free_blocks, kBlockSize, random);
      const int64_t q_size = heads.num_heads * heads.head_dim;
      for (const int64_t window : {1, 29, 64, 130, 299}) {
        const std::vector<float> whole = step(backend, *cache, heads, 0, {{&a, 0, a.length}}, window);
        for (int64_t r = 0; r < a.length; r += 7) {
          check_row(heads, a.q.data() + r * q_size, whole.data() + r * q_size, a.k, a.v, std::max<int64_t>(0, r + 1 - window),
                    r + 1, 1e-5);
        }
        std::vector<float> pieces;
        for (int64_t begin = 0; begin < a.length;) {
          const int64_t end = std::min<int64_t>(a.length, begin + 1 + random.below(begin % 2 == 0 ? 2 : 100));
          const std::vector<float> piece = step(backend, *cache, heads, 0, {{&a, begin, end}}, window);
          pieces.insert(pieces.end(), piece.begin(), piece.end());
          begin = end;
        }
        CHECK(std::memcmp(pieces.data(), whole.data(), whole.size() * sizeof(float)) == 0);
      }
    }
  });
}

TEST(chunking_and_batching_do_not_change_bits) {
  for_each_backend([](Backend& backend) {
    Random random(4);
    const Heads heads{6, 2, 36};
    const int64_t q_size = heads.num_heads * heads.head_dim;
    std::vector<int32_t> free_blocks = shuffled_blocks(64, random);
    const auto cache = make_cache(backend, heads, 64);
    const Sequence a = make_sequence(backend, heads, 333, free_blocks, kBlockSize, random);
    const Sequence b = make_sequence(backend, heads, 190, free_blocks, kBlockSize, random);
    const std::vector<float> whole_a = step(backend, *cache, heads, 0, {{&a, 0, a.length}});
    const std::vector<float> whole_b = step(backend, *cache, heads, 0, {{&b, 0, b.length}});
    for (int trial = 0; trial < 6; ++trial) {
      std::vector<float> out_a, out_b;
      for (int64_t at_a = 0, at_b = 0; at_a < a.length || at_b < b.length;) {
        const int64_t end_a = std::min<int64_t>(a.length, at_a + 1 + random.below(trial == 0 ? 1 : 120));
        const int64_t end_b = std::min<int64_t>(b.length, at_b + 1 + random.below(trial == 1 ? 1 : 60));
        std::vector<Chunk> chunks;
        if (end_b > at_b) chunks.push_back({&b, at_b, end_b});
        if (end_a > at_a) chunks.push_back({&a, at_a, end_a});
        const std::vector<float> out = step(backend, *cache, heads, 0, chunks);
        const auto middle = out.begin() + (end_b - at_b) * q_size;
        out_b.insert(out_b.end(), out.begin(), middle);
        out_a.insert(out_a.end(), middle, out.end());
        at_a = end_a;
        at_b = end_b;
      }
      CHECK(std::memcmp(out_a.data(), whole_a.data(), whole_a.size() * sizeof(float)) == 0);
      CHECK(std::memcmp(out_b.data(), whole_b.data(), whole_b.size() * sizeof(float)) == 0);
    }
  });
}

TEST(what_others_left_in_the_cache_is_never_read) {
  for_each_backend([](Backend& backend) {
    Random random(6);
    const Heads heads{4, 2, 20};
    const int64_t q_size = heads.num_heads * heads.head_dim, kv_size = heads.num_kv_heads * heads.head_dim;
    const auto run = [&](float left_behind) {
      random = Random(6);
      std::vector<int32_t> free_blocks = shuffled_blocks(16, random);
      const auto cache = make_cache(backend, heads, 16);
      std::vector<int32_t> slots(16 * kBlockSize);
      for (size_t i = 0; i < slots.size(); ++i) slots[i] = static_cast<int32_t>(i);
      const std::vector<float> filling(slots.size() * static_cast<size_t>(kv_size), left_behind);
      const ConstMatrix rows(filling.data(), static_cast<int64_t>(slots.size()), kv_size);
      backend.write_kv(*cache, 0, rows, rows, slots);
      const Sequence a = make_sequence(backend, heads, 69, free_blocks, kBlockSize, random);
      const Sequence b = make_sequence(backend, heads, 35, free_blocks, kBlockSize, random);
      std::vector<float> out = step(backend, *cache, heads, 0, {{&a, 0, 65}, {&b, 0, 35}});
      for (int64_t at = 65; at < a.length; ++at) {
        const std::vector<float> next = step(backend, *cache, heads, 0, {{&a, at, at + 1}});
        out.insert(out.end(), next.begin(), next.end());
      }
      CHECK_EQ(std::ssize(out), (a.length + b.length) * q_size);
      return out;
    };
    const std::vector<float> clean = run(0.0F), spoiled = run(std::numeric_limits<float>::quiet_NaN());
    CHECK(std::memcmp(clean.data(), spoiled.data(), clean.size() * sizeof(float)) == 0);
  });
}

TEST(large_scores_stay_finite) {
  for_each_backend([](Backend& backend) {
    Random random(5);
    const Heads heads{2, 1, 16};
    std::vector<int32_t> free_blocks = shuffled_blocks(16, random);
    const auto cache = make_cache(backend, heads, 16);
    Sequence sequence = make_sequence(backend, heads, 200, free_blocks, kBlockSize, random);
    for (float& value : sequence.q) value *= 400.0F;
    for (const float value : step(backend, *cache, heads, 0, {{&sequence, 0, 200}})) CHECK(std::isfinite(value));
  });
}

TEST(copy_block_copies_every_layer_and_head) {
  for_each_backend([](Backend& backend) {
    Random random(6);
    const Heads heads{4, 2, 24};
    std::vector<int32_t> free_blocks = {2, 0};
    const auto cache = make_cache(backend, heads, 4);
    Sequence sequence = make_sequence(backend, heads, 20, free_blocks, kBlockSize, random);
    std::vector<std::vector<float>> before;
    for (const int64_t layer : {0, 1}) before.push_back(step(backend, *cache, heads, layer, {{&sequence, 0, 20}}));
    cache->copy_block(0, 3);
    cache->copy_block(2, 1);
    Sequence other = sequence;
    other.k = random.normal(static_cast<int64_t>(other.k.size()));
    for (const int64_t layer : {0, 1}) step(backend, *cache, heads, layer, {{&other, 0, 20}});  // overwrites the originals
    sequence.blocks = {sequence.blocks[0] == 0 ? 3 : 1, sequence.blocks[1] == 0 ? 3 : 1};
    const int64_t q_size = heads.num_heads * heads.head_dim;
    for (const int64_t layer : {0, 1}) {
      const std::vector<float> last = step(backend, *cache, heads, layer, {{&sequence, 19, 20}});
      CHECK(std::memcmp(last.data(), before[static_cast<size_t>(layer)].data() + 19 * q_size, last.size() * sizeof(float)) ==
            0);
    }
  });
}

TEST(kv_cache_refuses_absurd_shapes) {
  const auto backend = create({"generic", false, DType::kFloat32});
  CHECK_THROWS(backend->create_kv_cache({1, 0, 16, 1, 16}), ErrorCode::kInvalidArgument);
  CHECK_THROWS(backend->create_kv_cache({1, 4, -1, 1, 16}), ErrorCode::kInvalidArgument);
  CHECK_THROWS(backend->create_kv_cache({1, int64_t{1} << 40, 16, 1, 16}), ErrorCode::kInvalidArgument);
  CHECK_THROWS(backend->create_kv_cache({1 << 20, 1 << 20, 16, 1 << 20, 1 << 20}), ErrorCode::kInvalidArgument);
}
