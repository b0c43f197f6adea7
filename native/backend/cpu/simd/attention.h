#pragma once

#include <cstring>

#include "backend/cpu/simd/micro_kernel.h"

namespace sensorium::simd {

template <class V>
constexpr int64_t round_to_panel(int64_t size) {
  return (size + 2 * V::kLanes - 1) / (2 * V::kLanes) * (2 * V::kLanes);
}

/// Scratch memory handed out piece by piece; without memory it only counts.
template <class V>
struct ScratchCarver {
  float* base;
  int64_t size = 0;
  float* take(int64_t num_floats) {
    float* const piece = base == nullptr ? nullptr : base + size;
    size += (num_floats + 15) / 16 * 16;
    return piece;
  }
};

/// Scratch of one task: where its query rows stand after the key groups seen so far.
template <class V>
struct AttentionState {
  float* q;       ///< [depth blocks][kQueryRows][kDepthStride], scaled
  float* scores;  ///< [tile rows][kDepthStride]; becomes the probabilities
  float* sums;    ///< [kQueryRows][padded head_dim]: probability-weighted values
  float* max;     ///< [kQueryRows]
  float* total;   ///< [kQueryRows]: sum of exp(score - max)
  float* keys;    ///< [panels][head_dim][panel width] of the current group (paged)
  float* values;  ///< [panels][kKeyGroup][panel width] of the current group (paged)
  int64_t size;   ///< floats of all

  AttentionState(float* scratch, int64_t head_dim) {
    ScratchCarver<V> carver{scratch};
    q = carver.take((head_dim + kDepthBlock - 1) / kDepthBlock * kQueryRows * kDepthStride);
    scores = carver.take(V::kTileRows * kDepthStride);
    sums = carver.take(kQueryRows * round_to_panel<V>(head_dim));
    max = carver.take(kQueryRows);
    total = carver.take(kQueryRows);
    keys = carver.take(kKeyGroup * head_dim);
    values = carver.take(kKeyGroup * round_to_panel<V>(head_dim));
    size = carver.size;
  }
};

template <class V>
int64_t attention_scratch(int64_t head_dim) {
  return AttentionState<V>(nullptr, head_dim).size;
}

/// Keys that a query row sees.
static inline int64_t visible_keys(const AttentionRows& call, int64_t row) {
  return call.is_causal ? call.num_keys - (call.num_tokens - 1 - row / call.group_size) : call.num_keys;
}

/// Keys from `key_begin` on that lie before a query row's window; negative: the window reaches further back.
static inline int64_t hidden_keys(const AttentionRows& call, int64_t row, int64_t key_begin) {
  return visible_keys(call, row) - key_begin - call.window;
}

/// First key of the first group that any of the rows sees.
static inline int64_t first_group(const AttentionRows& call, Range rows) {
  const int64_t hidden = hidden_keys(call, rows.begin, 0);
  return hidden > 0 ? hidden / kKeyGroup * kKeyGroup : 0;
}

template <class V>
void begin_rows(const AttentionRows& call, Range rows, const AttentionState<V>& state) {
  for (int64_t i = rows.begin; i < rows.end; ++i) {
    const float* q = call.q + i / call.group_size * call.q_stride + i % call.group_size * call.head_dim;
    for (int64_t d = 0; d < call.head_dim; ++d) {
      const int64_t row = d / kDepthBlock * kQueryRows + (i - rows.begin);
      state.q[row * kDepthStride + d % kDepthBlock] = q[d] * call.scale;
    }
  }
  std::memset(state.sums, 0, static_cast<size_t>(rows.size() * round_to_panel<V>(call.head_dim)) * sizeof(float));
  for (int64_t i = 0; i < rows.size(); ++i) {
    state.max[i] = -__builtin_inff();
    state.total[i] = 0.0F;
  }
}

/// One online softmax step of a row: scores [0, num_visible) of a group of `width` padded columns become probabilities
/// relative to the new maximum, the others zero, and the row's sums are brought to that maximum. Zeros at the end change no
/// bit of any sum, so the width does not matter.
template <class V>
inline void softmax_row(float* scores, int64_t num_visible, int64_t width, int64_t sums_size, float* sums, float* max,
                        float* total) {
  if (num_visible <= 0) {
    std::memset(scores, 0, static_cast<size_t>(width) * sizeof(float));
    return;
  }
  for (int64_t j = num_visible; j < width; ++j) scores[j] = -__builtin_inff();
  auto vector_max = V::load(scores);
  for (int64_t j = V::kLanes; j < width; j += V::kLanes) vector_max = V::max(vector_max, V::load(scores + j));
  const float group_max = V::max_lane(vector_max);
  const float new_max = group_max > *max ? group_max : *max;
  const auto vector_new_max = V::broadcast(new_max);
  auto vector_total = V::zero();
  for (int64_t j = 0; j < width; j += V::kLanes) {
    const auto p = V::exp(V::sub(V::load(scores + j), vector_new_max));  // exp(-inf) is 0
    V::store(scores + j, p);
    vector_total = V::add(vector_total, p);
  }
  if (new_max != *max && *total != 0.0F) {
    const auto shrink = V::exp(V::broadcast(*max - new_max));
    for (int64_t d = 0; d < sums_size; d += V::kLanes) V::store(sums + d, V::mul(V::load(sums + d), shrink));
    *total *= V::max_lane(shrink);
  }
  *total += V::sum(vector_total);
  *max = new_max;
}

/// softmax_row() of query row `rows.begin + r` over the group of `num_keys` keys from `key_begin` on.
template <class V>
inline void softmax_group(const AttentionRows& call, Range rows, int64_t r, int64_t key_begin, int64_t num_keys, int64_t width,
                          const AttentionState<V>& state, float* scores) {
  const int64_t visible = visible_keys(call, rows.begin + r) - key_begin;
  int64_t end = visible < num_keys ? visible : num_keys;
  const int64_t hidden = hidden_keys(call, rows.begin + r, key_begin);
  if (hidden >= end) end = 0;
  for (int64_t j = 0; j < hidden && j < end; ++j) scores[j] = -__builtin_inff();
  const int64_t sums_size = round_to_panel<V>(call.head_dim);
  softmax_row<V>(scores, end, width, sums_size, state.sums + r * sums_size, state.max + r, state.total + r);
}

/// Takes all rows of the task through one key group.
template <class V>
void attend_group(const AttentionRows& call, Range rows, const AttentionState<V>& state, const float* keys, const float* values,
                  int64_t key_begin, int64_t num_keys) {
  constexpr int64_t kWidth = 2 * V::kLanes;
  const int64_t width = round_to_panel<V>(num_keys);
  const int64_t sums_size = round_to_panel<V>(call.head_dim);
  for (int64_t first = 0; first < rows.size();) {
    const int64_t height = next_tile<V>(rows.size() - first);
    if (visible_keys(call, rows.begin + first + height - 1) > key_begin) {
      const auto kernel = micro_kernel_of<V, float>(height);
      for (int64_t d = 0; d < call.head_dim; d += kDepthBlock) {
        const int64_t depth = call.head_dim - d < kDepthBlock ? call.head_dim - d : kDepthBlock;
        const float* q = state.q + (d / kDepthBlock * kQueryRows + first) * kDepthStride;
        for (int64_t j = 0; j < width; j += kWidth) {
          kernel(q, keys + j * call.head_dim + d * kWidth, 0, depth, state.scores + j, kDepthStride, 0, d == 0, 0);
        }
      }
      for (int64_t r = 0; r < height; ++r) {
        softmax_group<V>(call, rows, first + r, key_begin, num_keys, width, state, state.scores + r * kDepthStride);
      }
      for (int64_t d = 0; d < sums_size; d += kWidth) {
        kernel(state.scores, values + d * kKeyGroup, 0, num_keys, state.sums + first * sums_size + d, sums_size, 0, false, 0);
      }
    }
    first += height;
  }
}

template <class V>
void end_rows(const AttentionRows& call, Range rows, const AttentionState<V>& state) {
  const int64_t sums_size = round_to_panel<V>(call.head_dim);
  for (int64_t i = rows.begin; i < rows.end; ++i) {
    float* out = call.out + i / call.group_size * call.out_stride + i % call.group_size * call.head_dim;
    const float* sums = state.sums + (i - rows.begin) * sums_size;
    const float inverse = 1.0F / state.total[i - rows.begin];
    for (int64_t d = 0; d < call.head_dim; ++d) out[d] = sums[d] * inverse;
  }
}

/// to[0 .. count) = from[0 .. count) as float32.
template <class V>
inline void copy_widened(const float* from, int64_t count, float* to) {
  int64_t i = 0;
  for (; i + V::kLanes <= count; i += V::kLanes) V::store(to + i, V::load(from + i));
  for (; i < count; ++i) to[i] = from[i];
}
template <class V>
inline void copy_widened(const BFloat16* from, int64_t count, float* to) {
  int64_t i = 0;
  for (; i + V::kLanes <= count; i += V::kLanes) V::store(to + i, V::load_bfloat16(from + i));
  for (; i < count; ++i) to[i] = __builtin_bit_cast(float, static_cast<uint32_t>(from[i].bits) << 16);
}

/// Brings a key group of the paged cache into panels; columns beyond its keys are zero.
template <class V, class T>
void load_group(const PagedKeys& paged, int64_t head_dim, int64_t key_begin, int64_t num_keys, float* keys, float* values) {
  constexpr int64_t kWidth = 2 * V::kLanes;
  if (num_keys % kWidth != 0) {
    std::memset(keys + num_keys / kWidth * kWidth * head_dim, 0, static_cast<size_t>(kWidth * head_dim) * sizeof(float));
  }
  for (int64_t j = 0; j < num_keys;) {
    const int64_t offset = (key_begin + j) % paged.block_size;
    int64_t run = paged.block_size - offset;
    if (run > num_keys - j) run = num_keys - j;
    if (run > kWidth - j % kWidth) run = kWidth - j % kWidth;
    const T* block =
        static_cast<const T*>(paged.blocks) + paged.block_table[(key_begin + j) / paged.block_size] * paged.block_stride;
    float* to = keys + j / kWidth * kWidth * head_dim + j % kWidth;
    for (int64_t d = 0; d < head_dim; ++d, to += kWidth) copy_widened<V>(block + d * paged.block_size + offset, run, to);
    for (int64_t i = 0; i < run; ++i) {
      const T* from = block + paged.value_offset + (offset + i) * head_dim;
      for (int64_t d = 0; d < head_dim; d += kWidth) {
        float* value = values + d * kKeyGroup + (j + i) * kWidth;
        const int64_t count = head_dim - d < kWidth ? head_dim - d : kWidth;
        copy_widened<V>(from + d, count, value);
        for (int64_t c = count; c < kWidth; ++c) value[c] = 0.0F;
      }
    }
    j += run;
  }
}

template <class V>
int64_t segment_keys_size(int64_t num_keys, int64_t head_dim) {
  return (num_keys + kKeyGroup - 1) / kKeyGroup * kKeyGroup * head_dim;
}

template <class V>
int64_t segment_values_size(int64_t num_keys, int64_t head_dim) {
  return (num_keys + kKeyGroup - 1) / kKeyGroup * kKeyGroup * round_to_panel<V>(head_dim);
}

template <class V>
void pack_segment(ConstMatrix k, ConstMatrix v, float* keys, float* values) {
  constexpr int64_t kWidth = 2 * V::kLanes;
  const int64_t num_keys = k.rows;
  const int64_t head_dim = k.cols;
  const int64_t width = round_to_panel<V>(num_keys);
  for (int64_t j = 0; j < width; ++j) {
    float* to = keys + j / kWidth * kWidth * head_dim + j % kWidth;
    for (int64_t d = 0; d < head_dim; ++d) to[d * kWidth] = j < num_keys ? k.row(j)[d] : 0.0F;
  }
  for (int64_t j = 0; j < num_keys; ++j) {
    float* group = values + j / kKeyGroup * kKeyGroup * round_to_panel<V>(head_dim) + j % kKeyGroup * kWidth;
    for (int64_t d = 0; d < head_dim; d += kWidth) {
      const int64_t count = head_dim - d < kWidth ? head_dim - d : kWidth;
      float* to = group + d * kKeyGroup;
      std::memcpy(to, v.row(j) + d, static_cast<size_t>(count) * sizeof(float));
      for (int64_t c = count; c < kWidth; ++c) to[c] = 0.0F;
    }
  }
}

template <class V>
void segment_attention(const AttentionRows& call, Range rows, const float* keys, const float* values, float* scratch) {
  const AttentionState<V> state(scratch, call.head_dim);
  begin_rows<V>(call, rows, state);
  for (int64_t key = 0; key < call.num_keys; key += kKeyGroup) {
    const int64_t num_keys = call.num_keys - key < kKeyGroup ? call.num_keys - key : kKeyGroup;
    attend_group<V>(call, rows, state, keys + key * call.head_dim, values + key * round_to_panel<V>(call.head_dim), key,
                    num_keys);
  }
  end_rows<V>(call, rows, state);
}

}  // namespace sensorium::simd
