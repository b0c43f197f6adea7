#pragma once

#include <array>
#include <cstdint>

namespace sensorium {

/// Philox4x32-10 (Salmon et al., 2011): a counter-based generator, so a draw depends on its key and counter alone.
inline std::array<uint32_t, 4> philox(std::array<uint32_t, 4> counter, std::array<uint32_t, 2> key) {
  for (int round = 0; round < 10; ++round) {
    const uint64_t a = uint64_t{0xD2511F53U} * counter[0];
    const uint64_t b = uint64_t{0xCD9E8D57U} * counter[2];
    counter = {static_cast<uint32_t>(b >> 32) ^ counter[1] ^ key[0], static_cast<uint32_t>(b),
               static_cast<uint32_t>(a >> 32) ^ counter[3] ^ key[1], static_cast<uint32_t>(a)};
    key = {key[0] + 0x9E3779B9U, key[1] + 0xBB67AE85U};
  }
  return counter;
}

/// The number in [0, 1) that continuation `index` of a request draws for its token `step`.
inline double uniform_draw(uint64_t seed, uint32_t index, uint64_t step) {
  const auto words = philox({static_cast<uint32_t>(step), static_cast<uint32_t>(step >> 32), index, 0},
                            {static_cast<uint32_t>(seed), static_cast<uint32_t>(seed >> 32)});
  const uint64_t bits = (uint64_t{words[0]} << 32 | words[1]) >> 11;
  return static_cast<double>(bits) * 0x1.0p-53;
}

}  // namespace sensorium
