#pragma once

#include <immintrin.h>

#include <cstddef>
#include <cstdint>

namespace sensorium {
namespace {

/// For each 16 bytes of 16 pixels: where the values of one channel go; bytes of other channels become 0.
struct ChannelShuffle {
  explicit ChannelShuffle(int channel) {
    alignas(16) int8_t places[3][16];
    for (int part = 0; part < 3; ++part) {
      for (int pixel = 0; pixel < 16; ++pixel) {
        const int source = 3 * pixel + channel - 16 * part;
        places[part][pixel] = static_cast<int8_t>(source >= 0 && source < 16 ? source : -1);
      }
      parts[part] = _mm_load_si128(reinterpret_cast<const __m128i*>(places[part]));
    }
  }
  __m128i parts[3];
};

inline void split_channels(const uint8_t* pixels, size_t width, uint8_t* planes) {
  const ChannelShuffle shuffles[3] = {ChannelShuffle(0), ChannelShuffle(1), ChannelShuffle(2)};
  size_t x = 0;
  for (; x + 16 <= width; x += 16) {
    const auto* source = reinterpret_cast<const __m128i*>(pixels + 3 * x);
    const __m128i a = _mm_loadu_si128(source), b = _mm_loadu_si128(source + 1), c = _mm_loadu_si128(source + 2);
    for (int channel = 0; channel < 3; ++channel) {
      const __m128i* parts = shuffles[channel].parts;
      const __m128i first = _mm_or_si128(_mm_shuffle_epi8(a, parts[0]), _mm_shuffle_epi8(b, parts[1]));
      const __m128i values = _mm_or_si128(first, _mm_shuffle_epi8(c, parts[2]));
      _mm_storeu_si128(reinterpret_cast<__m128i*>(planes + channel * width + x), values);
    }
  }
  for (; x < width; ++x) {
    for (int channel = 0; channel < 3; ++channel) planes[channel * width + x] = pixels[3 * x + channel];
  }
}

}  // namespace
}  // namespace sensorium
