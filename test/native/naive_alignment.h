#pragma once

#include <algorithm>
#include <cmath>
#include <limits>
#include <string>
#include <vector>

#include "golden_tensors.h"

/// Whisper's alignment of tokens in double precision, straight from the tensors of a checkpoint: no batches, caches or kernels.
namespace naive {

using Rows = std::vector<std::vector<double>>;

inline Rows rows_of(const std::vector<float>& values, size_t width) {
  Rows rows;
  for (size_t i = 0; i < values.size(); i += width) rows.emplace_back(values.begin() + i, values.begin() + i + width);
  return rows;
}

inline void add(Rows& x, const Rows& y) {
  for (size_t r = 0; r < x.size(); ++r) {
    for (size_t c = 0; c < x[r].size(); ++c) x[r][c] += y[r][c];
  }
}

inline void softmax(std::vector<double>& row) {
  const double highest = *std::max_element(row.begin(), row.end());
  double sum = 0;
  for (double& value : row) sum += value = std::exp(value - highest);
  for (double& value : row) value /= sum;
}

class Decoder {
 public:
  Decoder(const std::filesystem::path& file, size_t num_layers, size_t num_heads)
      : tensors_(file), num_layers_(num_layers), num_heads_(num_heads) {}

  /// Probabilities that the tokens give to the first `num_frames` encoder rows: [layer][head][token][frame].
  std::vector<std::vector<Rows>> cross_attention(const std::vector<int32_t>& ids, const Rows& heard, size_t num_frames) const {
    const auto width = static_cast<size_t>(tensors_.shape("model.decoder.embed_tokens.weight")[1]);
    const Rows table = rows_of(tensors_.get<float>("model.decoder.embed_tokens.weight"), width);
    Rows x = rows_of(tensors_.get<float>("model.decoder.embed_positions.weight"), width);
    x.resize(ids.size());
    for (size_t i = 0; i < ids.size(); ++i) {
      for (size_t c = 0; c < width; ++c) x[i][c] += table[static_cast<size_t>(ids[i])][c];
    }
    std::vector<std::vector<Rows>> found;
    for (size_t layer = 0; layer < num_layers_; ++layer) {
      const std::string name = "model.decoder.layers." + std::to_string(layer) + ".";
      Rows normed = norm(x, name + "self_attn_layer_norm");
      add(x, attend(name + "self_attn.", normed, normed, true, nullptr, 0));
      normed = norm(x, name + "encoder_attn_layer_norm");
      found.emplace_back();
      add(x, attend(name + "encoder_attn.", normed, heard, false, &found.back(), num_frames));
      Rows wide = linear(norm(x, name + "final_layer_norm"), name + "fc1", true);
      for (auto& row : wide) {
        for (double& value : row) value *= 0.5 * (1 + std::erf(value / std::sqrt(2.0)));
      }
      add(x, linear(wide, name + "fc2", true));
    }
    return found;
  }

 private:
  Rows linear(const Rows& x, const std::string& name, bool has_bias) const {
    const Rows weight = rows_of(tensors_.get<float>(name + ".weight"), x.front().size());
    const std::vector<float> bias = has_bias ? tensors_.get<float>(name + ".bias") : std::vector<float>(weight.size());
    Rows y(x.size(), std::vector<double>(weight.size()));
    for (size_t r = 0; r < x.size(); ++r) {
      for (size_t o = 0; o < weight.size(); ++o) {
        y[r][o] = static_cast<double>(bias[o]);
        for (size_t c = 0; c < x[r].size(); ++c) y[r][o] += x[r][c] * weight[o][c];
      }
    }
    return y;
  }

  Rows norm(const Rows& x, const std::string& name) const {
    const auto weight = tensors_.get<float>(name + ".weight"), bias = tensors_.get<float>(name + ".bias");
    Rows y = x;
    for (auto& row : y) {
      double mean = 0, variance = 0;
      for (const double value : row) mean += value / static_cast<double>(row.size());
      for (const double value : row) variance += (value - mean) * (value - mean) / static_cast<double>(row.size());
      for (size_t c = 0; c < row.size(); ++c) {
        row[c] = (row[c] - mean) / std::sqrt(variance + 1e-5) * static_cast<double>(weight[c]) + static_cast<double>(bias[c]);
      }
    }
    return y;
  }

  /// Attention of x over `keys_of`; into `seen`, where given, what each head gives to the first `num_frames` rows alone.
  Rows attend(const std::string& name, const Rows& x, const Rows& keys_of, bool is_causal, std::vector<Rows>* seen,
              size_t num_frames) const {
    const Rows q = linear(x, name + "q_proj", true), k = linear(keys_of, name + "k_proj", false),
               v = linear(keys_of, name + "v_proj", true);
    const size_t head_dim = q.front().size() / num_heads_;
    Rows attended(x.size(), std::vector<double>(q.front().size()));
    for (size_t head = 0; head < num_heads_; ++head) {
      if (seen != nullptr) seen->emplace_back();
      for (size_t r = 0; r < x.size(); ++r) {
        std::vector<double> weights(is_causal ? r + 1 : k.size());
        for (size_t i = 0; i < weights.size(); ++i) {
          for (size_t d = head * head_dim; d < (head + 1) * head_dim; ++d) weights[i] += q[r][d] * k[i][d];
          weights[i] /= std::sqrt(static_cast<double>(head_dim));
        }
        if (seen != nullptr) {
          seen->back().emplace_back(weights.begin(), weights.begin() + static_cast<std::ptrdiff_t>(num_frames));
          softmax(seen->back().back());
        }
        softmax(weights);
        for (size_t i = 0; i < weights.size(); ++i) {
          for (size_t d = head * head_dim; d < (head + 1) * head_dim; ++d) attended[r][d] += weights[i] * v[i][d];
        }
      }
    }
    return linear(attended, name + "out_proj", true);
  }

  golden::Tensors tensors_;
  size_t num_layers_, num_heads_;
};

inline double median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  return values[values.size() / 2];
}

/// Element `index` of a row that is mirrored at both ends.
inline double mirrored(const std::vector<double>& row, std::ptrdiff_t index) {
  const auto last = std::ssize(row) - 1;
  if (index < 0) index = -index;
  if (index > last) index = 2 * last - index;
  return row[static_cast<size_t>(index)];
}

/// Columns brought to mean 0 and deviation 1, then each row median-filtered.
inline Rows smooth(Rows x, int width) {
  for (size_t c = 0; c < x.front().size(); ++c) {
    double mean = 0, variance = 0;
    for (const auto& row : x) mean += row[c] / static_cast<double>(x.size());
    for (const auto& row : x) variance += (row[c] - mean) * (row[c] - mean) / static_cast<double>(x.size());
    for (auto& row : x) row[c] = (row[c] - mean) / std::sqrt(variance);
  }
  Rows filtered = x;
  for (size_t r = 0; r < x.size(); ++r) {
    for (std::ptrdiff_t c = 0; c < std::ssize(x[r]); ++c) {
      std::vector<double> window;
      for (std::ptrdiff_t i = c - width / 2; i <= c + width / 2; ++i) window.push_back(mirrored(x[r], i));
      filtered[r][static_cast<size_t>(c)] = median(std::move(window));
    }
  }
  return filtered;
}

/// The highest sum of a path from the first element to the last.
inline double best_sum(const Rows& gains) {
  Rows sums = gains;
  for (size_t r = 0; r < gains.size(); ++r) {
    for (size_t c = 0; c < gains[r].size(); ++c) {
      if (r == 0 && c == 0) continue;
      double best = -std::numeric_limits<double>::infinity();
      if (r > 0) best = std::max(best, sums[r - 1][c]);
      if (c > 0) best = std::max(best, sums[r][c - 1]);
      if (r > 0 && c > 0) best = std::max(best, sums[r - 1][c - 1]);
      sums[r][c] += best;
    }
  }
  return sums.back().back();
}

/// The highest sum of a path that enters the rows at these columns.
inline double sum_along(const Rows& gains, const std::vector<int32_t>& first_columns) {
  double sum = 0;
  for (size_t r = 0; r < gains.size(); ++r) {
    const auto first = static_cast<size_t>(first_columns[r]);
    const size_t next = r + 1 < gains.size() ? static_cast<size_t>(first_columns[r + 1]) : gains[r].size();
    sum += gains[r][first];
    for (size_t c = first + 1; c < next; ++c) sum += gains[r][c];
    // It may go straight down from the column in which the next row begins, or aslant from the one before.
    if (next > first && r + 1 < gains.size()) sum += std::max(0.0, gains[r][next]);
  }
  return sum;
}

}  // namespace naive
