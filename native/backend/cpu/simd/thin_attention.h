#pragma once

#include "backend/cpu/simd/attention.h"

namespace sensorium::simd {

/// Query rows up to this read the cache in place instead of bringing its keys into panels. The chains are the same.
inline constexpr int64_t kThinAttentionRows = 4;

/// Vectors of keys or of values in flight.
inline constexpr int kThinVectors = 4;

template <class V>
inline __attribute__((always_inline)) typename V::Reg load_widened(const float* from) {
  return V::load(from);
}
template <class V>
inline __attribute__((always_inline)) typename V::Reg load_widened(const BFloat16* from) {
  return V::load_bfloat16(from);
}

/// Whether cache blocks are whole vectors and whole parts of a key group, and heads whole vectors.
template <class V>
inline bool can_read_in_place(const AttentionRows& call, Range rows, const PagedKeys& paged) {
  return rows.size() <= kThinAttentionRows && call.head_dim <= kDepthBlock && call.head_dim % V::kLanes == 0 &&
         paged.block_size % V::kLanes == 0 && kKeyGroup % paged.block_size == 0 && kKeyGroup / V::kLanes % kThinVectors == 0;
}

/// The blocks of one key group; those of the next are asked for meanwhile.
template <class V, class T>
struct GroupBlocks {
  const T* keys[kKeyGroup / V::kLanes];  ///< one a vector of keys
  const T* next_keys[kKeyGroup / V::kLanes];

  GroupBlocks(const PagedKeys& paged, int64_t key_begin, int64_t num_visible) {
    for (int64_t v = 0; v < kKeyGroup / V::kLanes; ++v) {
      keys[v] = find(paged, key_begin + v * V::kLanes, num_visible);
      next_keys[v] = find(paged, key_begin + kKeyGroup + v * V::kLanes, num_visible);
    }
  }

 private:
  /// Where the keys of a token's vector lie; beyond the visible tokens any block will do, its scores are masked.
  static const T* find(const PagedKeys& paged, int64_t token, int64_t num_visible) {
    if (token >= num_visible) token = 0;
    return static_cast<const T*>(paged.blocks) + paged.block_table[token / paged.block_size] * paged.block_stride +
           token % paged.block_size;
  }
};

template <class V, class T, int kRows>
void thin_scores(const float* q, const GroupBlocks<V, T>& blocks, int64_t head_dim, int64_t block_size, float* scores) {
  for (int64_t first = 0; first < kKeyGroup / V::kLanes; first += kThinVectors) {
    const T* const* keys = blocks.keys + first;
    const T* const* next = blocks.next_keys + first;
    typename V::Reg sums[kRows][kThinVectors];
    for (int r = 0; r < kRows; ++r) {
      for (int v = 0; v < kThinVectors; ++v) sums[r][v] = V::zero();
    }
    for (int64_t d = 0; d < head_dim; ++d) {
#pragma GCC unroll 4
      for (int v = 0; v < kThinVectors; ++v) {
        const auto key = load_widened<V>(keys[v] + d * block_size);
        __builtin_prefetch(next[v] + d * block_size);
#pragma GCC unroll 4
        for (int r = 0; r < kRows; ++r) {
          sums[r][v] = V::fma(V::broadcast(q[r * kDepthStride + d]), key, sums[r][v]);
        }
      }
    }
    for (int r = 0; r < kRows; ++r) {
      for (int v = 0; v < kThinVectors; ++v) {
        V::store(scores + r * kDepthStride + (first + v) * V::kLanes, sums[r][v]);
      }
    }
  }
}

/// sums += probabilities x values for `kVectors` vectors of dimensions.
template <class V, class T, int kRows, int kVectors>
void thin_values(const float* p, const GroupBlocks<V, T>& blocks, const PagedKeys& paged, int64_t head_dim, int64_t num_keys,
                 int64_t dim, float* sums, int64_t sums_stride) {
  typename V::Reg total[kRows][kVectors];
  for (int r = 0; r < kRows; ++r) {
    for (int v = 0; v < kVectors; ++v) total[r][v] = V::load(sums + r * sums_stride + dim + v * V::kLanes);
  }
  for (int64_t j = 0; j < num_keys; ++j) {
    // Of a vector's keys the address names the token; its values lie at that token's place.
    const int64_t offset = j % paged.block_size;
    const int64_t block_start = offset / V::kLanes * V::kLanes;
    const int64_t place = paged.value_offset - block_start + offset * head_dim + dim;
    const T* values = blocks.keys[j / V::kLanes] + place;
    const T* next = blocks.next_keys[j / V::kLanes] + place;
#pragma GCC unroll 4
    for (int v = 0; v < kVectors; ++v) {
      const auto value = load_widened<V>(values + v * V::kLanes);
      __builtin_prefetch(next + v * V::kLanes);
#pragma GCC unroll 4
      for (int r = 0; r < kRows; ++r) total[r][v] = V::fma(V::broadcast(p[r * kDepthStride + j]), value, total[r][v]);
    }
  }
  for (int r = 0; r < kRows; ++r) {
    for (int v = 0; v < kVectors; ++v) V::store(sums + r * sums_stride + dim + v * V::kLanes, total[r][v]);
  }
}

template <class V, class T, int kRows>
void attend_thin_rows(const AttentionRows& call, Range rows, const PagedKeys& paged, const AttentionState<V>& state,
                      int64_t num_visible) {
  const int64_t sums_size = round_to_panel<V>(call.head_dim);
  for (int64_t key = first_group(call, rows); key < num_visible; key += kKeyGroup) {
    const int64_t num_keys = num_visible - key < kKeyGroup ? num_visible - key : kKeyGroup;
    const GroupBlocks<V, T> blocks(paged, key, num_visible);
    thin_scores<V, T, kRows>(state.q, blocks, call.head_dim, paged.block_size, state.scores);
    for (int64_t r = 0; r < kRows; ++r) {
      softmax_group<V>(call, rows, r, key, num_keys, kKeyGroup, state, state.scores + r * kDepthStride);
    }
    int64_t d = 0;
    for (; d + kThinVectors * V::kLanes <= call.head_dim; d += kThinVectors * V::kLanes) {
      thin_values<V, T, kRows, kThinVectors>(state.scores, blocks, paged, call.head_dim, num_keys, d, state.sums, sums_size);
    }
    for (; d < call.head_dim; d += V::kLanes) {
      thin_values<V, T, kRows, 1>(state.scores, blocks, paged, call.head_dim, num_keys, d, state.sums, sums_size);
    }
  }
}

template <class V, class T>
void attend_in_place(const AttentionRows& call, Range rows, const PagedKeys& paged, const AttentionState<V>& state,
                     int64_t num_visible) {
  using Attend = void (*)(const AttentionRows&, Range, const PagedKeys&, const AttentionState<V>&, int64_t);
  static constexpr Attend kAttend[kThinAttentionRows] = {attend_thin_rows<V, T, 1>, attend_thin_rows<V, T, 2>,
                                                         attend_thin_rows<V, T, 3>, attend_thin_rows<V, T, 4>};
  kAttend[rows.size() - 1](call, rows, paged, state, num_visible);
}

template <class V>
void paged_attention(const AttentionRows& call, Range rows, const PagedKeys& paged, float* scratch) {
  const AttentionState<V> state(scratch, call.head_dim);
  begin_rows<V>(call, rows, state);
  const int64_t num_visible = visible_keys(call, rows.end - 1);
  const bool is_bfloat16 = paged.dtype == DType::kBFloat16;
  if (can_read_in_place<V>(call, rows, paged)) {
    const auto attend = is_bfloat16 ? attend_in_place<V, BFloat16> : attend_in_place<V, float>;
    attend(call, rows, paged, state, num_visible);
  } else {
    const auto load = is_bfloat16 ? load_group<V, BFloat16> : load_group<V, float>;
    for (int64_t key = first_group(call, rows); key < num_visible; key += kKeyGroup) {
      const int64_t num_keys = num_visible - key < kKeyGroup ? num_visible - key : kKeyGroup;
      load(paged, call.head_dim, key, num_keys, state.keys, state.values);
      attend_group<V>(call, rows, state, state.keys, state.values, key, num_keys);
    }
  }
  end_rows<V>(call, rows, state);
}

}  // namespace sensorium::simd
