#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "backend/backend.h"
#include "ops/rope.h"

namespace sensorium {

/// How rotation frequencies are stretched beyond the trained context.
enum class RotaryScaling { kNone, kLinear, kLlama3, kYarn, kLongRope };

struct RotaryConfig {
  int64_t rotary_dim = 0;  ///< rotated dimensions of a head, even
  double theta = 10000.0;
  RotaryScaling scaling = RotaryScaling::kNone;
  double factor = 1.0;
  double original_max_position = 0.0;                    ///< llama3, yarn, longrope
  double low_freq_factor = 1.0, high_freq_factor = 4.0;  ///< llama3
  double beta_fast = 32.0, beta_slow = 1.0;              ///< yarn
  std::vector<double> short_factors, long_factors;       ///< longrope: divisor of each frequency, [rotary_dim / 2]
  double attention_factor = 1.0;                         ///< multiplies cos and sin
  std::optional<ops::MropeSections> sections;            ///< M-RoPE; absent: one position a token
};

/// Which frequencies a sequence turns with: longrope has others for sequences longer than the original context.
enum class ContextRange { kShort, kLong };

/// Frequency i is theta^(-2i / rotary_dim), scaled: [rotary_dim / 2]. Source: Hugging Face's "default", "linear", "llama3",
/// "yarn", "longrope".
std::vector<float> rotary_frequencies(const RotaryConfig& config, ContextRange range = ContextRange::kShort);

/// RoPE of a text decoder: cos and sin rows of tokens at (t, h, w).
class TextRotary {
 public:
  explicit TextRotary(const RotaryConfig& config);
  int64_t num_frequencies() const { return static_cast<int64_t>(frequencies_.size()); }
  /// Tokens of the longest sequence in the short range; absent where both ranges are one.
  std::optional<int64_t> short_context() const { return short_context_; }
  ContextRange range_of(int64_t context_length) const {
    return short_context_ && context_length > *short_context_ ? ContextRange::kLong : ContextRange::kShort;
  }
  /// cos, sin [rows, num_frequencies]; positions [rows] each.
  void fill(Backend& backend, std::span<const float> t, std::span<const float> h, std::span<const float> w, Matrix cos,
            Matrix sin, ContextRange range = ContextRange::kShort) const;

 private:
  std::vector<float> frequencies_;
  std::vector<float> long_frequencies_;
  std::optional<int64_t> short_context_;
  std::optional<ops::MropeSections> sections_;
  float attention_factor_;
};

/// 2-D RoPE of a vision tower: half of a head's frequencies follows the patch's row, half its column.
class VisionRotary {
 public:
  /// `head_dim` is a multiple of 4.
  VisionRotary(int64_t head_dim, double theta);
  int64_t num_frequencies() const { return 2 * static_cast<int64_t>(frequencies_.size()); }
  /// cos, sin [patches, num_frequencies]; positions [patches] each.
  void fill(Backend& backend, std::span<const float> rows, std::span<const float> columns, Matrix cos, Matrix sin) const;

 private:
  std::vector<float> frequencies_;
};

}  // namespace sensorium
