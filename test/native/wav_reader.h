#pragma once

#include <cstdint>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <stdexcept>
#include <string>
#include <vector>

/// Reads the goldens' sounds: 16-bit mono PCM.
namespace golden {

/// Samples in [-1, 1). Throws std::runtime_error on anything else than 16-bit mono PCM.
inline std::vector<float> read_wav(const std::filesystem::path& file) {
  std::ifstream stream(file, std::ios::binary);
  const std::vector<char> bytes((std::istreambuf_iterator<char>(stream)), std::istreambuf_iterator<char>());
  const auto number = [&](size_t at, size_t size) {
    uint32_t value = 0;
    std::memcpy(&value, bytes.data() + at, size);
    return value;
  };
  for (size_t at = 12; at + 8 <= bytes.size(); at += 8 + number(at + 4, 4)) {
    const std::string id(bytes.data() + at, 4);
    if (id == "fmt " && (number(at + 8, 2) != 1 || number(at + 10, 2) != 1 || number(at + 22, 2) != 16)) break;
    if (id != "data") continue;
    std::vector<float> samples(number(at + 4, 4) / 2);
    for (size_t i = 0; i < samples.size(); ++i) {
      samples[i] = static_cast<float>(static_cast<int16_t>(number(at + 8 + 2 * i, 2))) / 32768.0F;
    }
    return samples;
  }
  throw std::runtime_error(file.string() + " is no 16-bit mono WAV file");
}

}  // namespace golden
