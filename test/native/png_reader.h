#pragma once

#include <array>
#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <optional>
#include <stdexcept>
#include <vector>

/// Reads the golden pictures: 8-bit PNG without interlacing. For trusted files only: checksums are not verified.
namespace golden {

/// A DEFLATE stream (RFC 1951).
class Inflater {
 public:
  explicit Inflater(std::vector<uint8_t> input) : input_(std::move(input)) {}

  std::vector<uint8_t> run() {
    for (bool is_last = false; !is_last;) {
      is_last = bits(1) != 0;
      const uint32_t kind = bits(2);
      if (kind == 0) {
        copy_stored();
      } else {
        const auto [literals, distances] = kind == 1 ? fixed_codes() : read_codes();
        expand(literals, distances);
      }
    }
    return std::move(output_);
  }

 private:
  /// Canonical Huffman code: how many codes each length has, and the symbols in code order.
  struct Code {
    std::array<int, 16> counts{};
    std::vector<int> symbols;
  };

  static Code make_code(const std::vector<int>& lengths) {
    Code code;
    for (int length = 1; length < 16; ++length) {
      for (size_t symbol = 0; symbol < lengths.size(); ++symbol) {
        if (lengths[symbol] != length) continue;
        code.counts[static_cast<size_t>(length)]++;
        code.symbols.push_back(static_cast<int>(symbol));
      }
    }
    return code;
  }

  uint32_t bits(int count) {
    uint32_t value = 0;
    for (int i = 0; i < count; ++i, ++bit_) value |= ((input_.at(bit_ / 8) >> (bit_ % 8)) & 1U) << i;
    return value;
  }

  int symbol(const Code& code) {
    int value = 0, first = 0, index = 0;
    for (size_t length = 1; length < 16; ++length) {
      value |= static_cast<int>(bits(1));
      const int count = code.counts[length];
      if (value - count < first) return code.symbols.at(static_cast<size_t>(index + value - first));
      index += count;
      first = (first + count) << 1;
      value <<= 1;
    }
    throw std::runtime_error("bad Huffman code");
  }

  void copy_stored() {
    bit_ = (bit_ + 7) / 8 * 8;
    const uint32_t count = bits(16);
    bits(16);
    for (uint32_t i = 0; i < count; ++i) output_.push_back(static_cast<uint8_t>(bits(8)));
  }

  static std::pair<Code, Code> fixed_codes() {
    std::vector<int> lengths(288, 8);
    for (size_t i = 144; i < 280; ++i) lengths[i] = i < 256 ? 9 : 7;
    return {make_code(lengths), make_code(std::vector<int>(30, 5))};
  }

  std::pair<Code, Code> read_codes() {
    constexpr std::array<size_t, 19> kOrder{16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15};
    const size_t num_literals = bits(5) + 257, num_distances = bits(5) + 1, num_lengths = bits(4) + 4;
    std::vector<int> meta(19);
    for (size_t i = 0; i < num_lengths; ++i) meta[kOrder[i]] = static_cast<int>(bits(3));
    const Code meta_code = make_code(meta);
    std::vector<int> lengths;
    while (lengths.size() < num_literals + num_distances) {
      const int value = symbol(meta_code);
      if (value < 16) {
        lengths.push_back(value);
        continue;
      }
      const int repeated = value == 16 ? lengths.back() : 0;
      const uint32_t count = value == 16 ? 3 + bits(2) : value == 17 ? 3 + bits(3) : 11 + bits(7);
      lengths.insert(lengths.end(), count, repeated);
    }
    const auto middle = lengths.begin() + static_cast<std::ptrdiff_t>(num_literals);
    return {make_code({lengths.begin(), middle}), make_code({middle, lengths.end()})};
  }

  void expand(const Code& literals, const Code& distances) {
    constexpr std::array<uint32_t, 29> kLengthBase{3,  4,  5,  6,  7,  8,  9,  10, 11,  13,  15,  17,  19,  23, 27,
                                                   31, 35, 43, 51, 59, 67, 83, 99, 115, 131, 163, 195, 227, 258};
    constexpr std::array<uint32_t, 30> kDistanceBase{1,    2,    3,    4,    5,    7,    9,    13,    17,    25,
                                                     33,   49,   65,   97,   129,  193,  257,  385,   513,   769,
                                                     1025, 1537, 2049, 3073, 4097, 6145, 8193, 12289, 16385, 24577};
    for (int value = symbol(literals); value != 256; value = symbol(literals)) {
      if (value < 256) {
        output_.push_back(static_cast<uint8_t>(value));
        continue;
      }
      const auto length_code = static_cast<size_t>(value - 257);
      const int length_bits = length_code < 8 || length_code == 28 ? 0 : static_cast<int>(length_code / 4) - 1;
      const uint32_t length = kLengthBase.at(length_code) + bits(length_bits);
      const auto distance_code = static_cast<size_t>(symbol(distances));
      const int distance_bits = distance_code < 4 ? 0 : static_cast<int>(distance_code / 2) - 1;
      const size_t distance = kDistanceBase.at(distance_code) + bits(distance_bits);
      for (uint32_t i = 0; i < length; ++i) output_.push_back(output_.at(output_.size() - distance));
    }
  }

  std::vector<uint8_t> input_;
  size_t bit_ = 0;
  std::vector<uint8_t> output_;
};

struct RgbPicture {
  int32_t width = 0, height = 0;
  std::vector<uint8_t> pixels;  ///< [height, width, 3]
};

/// Undoes PNG's filter `kind` of one row in place; `above` is the row above, unfiltered.
inline void unfilter(int kind, std::vector<uint8_t>& row, const std::vector<uint8_t>& above, size_t channels) {
  for (size_t i = 0; i < row.size(); ++i) {
    const int left = i < channels ? 0 : row[i - channels], up = above[i], corner = i < channels ? 0 : above[i - channels];
    const int gradient = left + up - corner;
    const int to_left = std::abs(gradient - left), to_up = std::abs(gradient - up), to_corner = std::abs(gradient - corner);
    const int paeth = to_left <= to_up && to_left <= to_corner ? left : to_up <= to_corner ? up : corner;
    const std::array<int, 5> predictions{0, left, up, (left + up) / 2, paeth};
    row[i] = static_cast<uint8_t>(row[i] + predictions.at(static_cast<size_t>(kind)));
  }
}

/// Grey or RGB; nullopt for other kinds (alpha, palette, another format).
inline std::optional<RgbPicture> read_png(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  const std::vector<uint8_t> bytes{std::istreambuf_iterator<char>(file), {}};
  if (bytes.size() < 33 || bytes[1] != 'P' || bytes[2] != 'N' || bytes[3] != 'G') return std::nullopt;
  const auto number = [&](size_t at) {
    return static_cast<size_t>(bytes.at(at) << 24 | bytes.at(at + 1) << 16 | bytes.at(at + 2) << 8 | bytes.at(at + 3));
  };
  const int colour = bytes[25];
  if (bytes[24] != 8 || bytes[28] != 0 || (colour != 0 && colour != 2)) return std::nullopt;
  std::vector<uint8_t> compressed;
  for (size_t at = 8; at + 12 <= bytes.size(); at += number(at) + 12) {
    if (bytes[at + 4] != 'I' || bytes[at + 5] != 'D') continue;
    const auto begin = bytes.begin() + static_cast<std::ptrdiff_t>(at + 8);
    compressed.insert(compressed.end(), begin, begin + static_cast<std::ptrdiff_t>(number(at)));
  }
  compressed.erase(compressed.begin(), compressed.begin() + 2);  // zlib header
  const std::vector<uint8_t> data = Inflater(std::move(compressed)).run();
  const size_t channels = colour == 2 ? 3 : 1, width = number(16), height = number(20);
  RgbPicture picture{static_cast<int32_t>(width), static_cast<int32_t>(height), {}};
  std::vector<uint8_t> above(width * channels), row(width * channels);
  for (size_t y = 0; y < height; ++y) {
    const auto begin = data.begin() + static_cast<std::ptrdiff_t>(y * (row.size() + 1));
    row.assign(begin + 1, begin + 1 + static_cast<std::ptrdiff_t>(row.size()));
    unfilter(*begin, row, above, channels);
    for (size_t i = 0; i < width * 3; ++i) picture.pixels.push_back(row[channels == 3 ? i : i / 3]);
    above = row;
  }
  return picture;
}

}  // namespace golden
