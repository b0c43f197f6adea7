#pragma once

#include <cstdint>
#include <span>
#include <unordered_map>

namespace sensorium {

/// The distinct tokens of a sequence and how often each was generated (0: it stands only in the prompt).
class TokenHistory {
 public:
  void add_prompt(std::span<const int32_t> token_ids) {
    for (const int32_t token : token_ids) counts_.try_emplace(token, 0);
  }
  void add_generated(int32_t token_id) { counts_[token_id]++; }
  const std::unordered_map<int32_t, int32_t>& counts() const { return counts_; }

 private:
  std::unordered_map<int32_t, int32_t> counts_;
};

}  // namespace sensorium
