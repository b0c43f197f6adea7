#include <algorithm>
#include <cstdint>
#include <span>
#include <vector>

#include "check.h"
#include "core/error.h"
#include "media/kernels.h"
#include "media/patchify.h"

using namespace sensorium;

namespace {

std::vector<uint8_t> gradient(ImageSize size, uint32_t seed) {
  std::vector<uint8_t> pixels(static_cast<size_t>(size.width) * size.height * 3);
  for (size_t i = 0; i < pixels.size(); ++i) pixels[i] = static_cast<uint8_t>((i * 2654435761U + seed) >> 13);
  return pixels;
}

/// The definition: element (patch, channel, t, y, x) of the permuted view, from plain nested loops.
std::vector<float> naive_patches(const std::vector<std::vector<uint8_t>>& frames, ImageSize size, const PatchOptions& options) {
  const int32_t patch = options.patch_size, merge = options.merge_size, temporal = options.temporal_patch_size;
  std::vector<float> out;
  const auto num_frames = static_cast<int32_t>(frames.size());
  for (int32_t t = 0; t < num_frames; t += temporal) {
    for (int32_t block_y = 0; block_y < size.height; block_y += patch * merge) {
      for (int32_t block_x = 0; block_x < size.width; block_x += patch * merge) {
        for (int32_t cell = 0; cell < merge * merge; ++cell) {
          const int32_t top = block_y + cell / merge * patch, left = block_x + cell % merge * patch;
          for (int32_t i = 0; i < 3 * temporal * patch * patch; ++i) {
            const int32_t channel = i / (temporal * patch * patch), frame = i / (patch * patch) % temporal;
            const int32_t y = top + i / patch % patch, x = left + i % patch;
            const auto& pixels = frames[std::min(t + frame, num_frames - 1)];
            auto value = static_cast<float>(pixels[(static_cast<size_t>(y) * size.width + x) * 3 + channel]);
            if (options.do_rescale) value = static_cast<float>(static_cast<double>(value) * options.rescale_factor);
            if (options.do_normalize) value = (value - options.mean[channel]) / options.std[channel];
            out.push_back(value);
          }
        }
      }
    }
  }
  return out;
}

std::vector<float> floats_of(const Patches& patches) {
  const Shape shape = patches.shape();
  std::vector<float> values(static_cast<size_t>(num_elements(shape)));
  patches.expand(0, Matrix(values.data(), shape[0], shape[1]));
  return values;
}

void check_against_definition(ImageSize size, size_t num_frames, const PatchOptions& options) {
  std::vector<std::vector<uint8_t>> frames;
  std::vector<RgbView> views;
  for (size_t i = 0; i < num_frames; ++i) frames.push_back(gradient(size, static_cast<uint32_t>(i) << 20));
  for (const auto& frame : frames) views.push_back({frame.data(), size.width, size.height});
  const ProcessedMedia media = patchify(views, size, options, Modality::kVideo);
  const std::vector<float> expected = naive_patches(frames, size, options);
  CHECK(media.features.empty());
  CHECK(floats_of(media.patches) == expected);
  const auto temporal = static_cast<size_t>(options.temporal_patch_size);
  CHECK_EQ(media.grid_t, static_cast<int32_t>((num_frames + temporal - 1) / temporal));
  CHECK_EQ(media.grid_h, size.height / options.patch_size);
  CHECK_EQ(media.grid_w, size.width / options.patch_size);
}

}  // namespace

TEST(patches_follow_the_definition) {
  PatchOptions options;
  check_against_definition({56, 84}, 1, options);
  check_against_definition({28, 28}, 2, options);
  check_against_definition({56, 28}, 5, options);
  options.patch_size = 16;
  check_against_definition({64, 32}, 3, options);
  options.patch_size = 5;
  options.merge_size = 3;
  options.temporal_patch_size = 3;
  check_against_definition({15, 45}, 4, options);
  options.do_rescale = false;
  check_against_definition({15, 15}, 1, options);
  options.do_normalize = false;
  check_against_definition({15, 15}, 1, options);
}

TEST(patches_of_a_resized_picture_are_those_of_the_resized_pixels) {
  const ImageSize in{75, 131}, out{56, 84};
  const auto image = gradient(in, 7);
  std::vector<uint8_t> resized(static_cast<size_t>(out.width) * out.height * 3);
  resize_rgb({image.data(), in.width, in.height}, out.width, out.height, ResizeFilter::kBicubic, resized.data());
  const RgbView small{resized.data(), out.width, out.height}, large{image.data(), in.width, in.height};
  const ProcessedMedia expected = patchify({&small, 1}, out, {}, Modality::kImage);
  const ProcessedMedia found = patchify({&large, 1}, out, {}, Modality::kImage);
  CHECK(found.modality == Modality::kImage);
  CHECK(floats_of(found.patches) == floats_of(expected.patches));
}

TEST(every_table_splits_channels_alike) {
  for (const int32_t width : {1, 15, 16, 33, 84}) {
    const auto row = gradient({1, width}, 5);
    std::vector<uint8_t> expected(row.size());
    for (size_t i = 0; i < row.size(); ++i) expected[i % 3 * static_cast<size_t>(width) + i / 3] = row[i];
    for (const MediaKernels* kernels : available_media_kernels()) {
      std::vector<uint8_t> found(row.size());
      kernels->split_channels(row.data(), static_cast<size_t>(width), found.data());
      CHECK(found == expected);
    }
  }
}

TEST(patches_are_held_as_levels) {
  const auto image = gradient({28, 56}, 0);
  const RgbView view{image.data(), 56, 28}, pair[] = {view, view};
  const ProcessedMedia still = patchify({&view, 1}, {28, 56}, {}, Modality::kImage);
  const ProcessedMedia clip = patchify(pair, {28, 56}, {}, Modality::kVideo);
  CHECK_EQ(still.size_bytes(), image.size() + sizeof(LevelTable));  // the repeated frame once
  CHECK_EQ(clip.size_bytes(), 2 * image.size() + sizeof(LevelTable));
  CHECK(still.input_shape() == Shape({8, 1176}));
  CHECK(clip.input_shape() == still.input_shape());
  CHECK(floats_of(still.patches) == floats_of(clip.patches));
}

TEST(any_rows_of_patches_expand_alone) {
  const auto image = gradient({28, 56}, 3);
  const RgbView view{image.data(), 56, 28};
  const Patches patches = patchify({&view, 1}, {28, 56}, {}, Modality::kImage).patches;
  const std::vector<float> whole = floats_of(patches);
  std::vector<float> part(3 * 1176);
  patches.expand(5, Matrix(part.data(), 3, 1176));
  CHECK(std::equal(part.begin(), part.end(), whole.begin() + 5 * 1176));
  CHECK_THROWS(patches.expand(6, Matrix(part.data(), 3, 1176)), ErrorCode::kInvalidArgument);
  CHECK_THROWS(patches.expand(-1, Matrix(part.data(), 1, 1176)), ErrorCode::kInvalidArgument);
  CHECK_THROWS(patches.expand(0, Matrix(part.data(), 1, 588)), ErrorCode::kInvalidArgument);
  CHECK_THROWS(Patches(4, 3, 2, 14, {}), ErrorCode::kInvalidArgument);
}

TEST(bad_pictures_are_refused) {
  const auto image = gradient({28, 28}, 0);
  const RgbView good{image.data(), 28, 28}, other{image.data(), 14, 28}, empty{image.data(), 0, 28}, null{nullptr, 28, 28};
  const RgbView mixed[] = {good, other};
  const auto run = [](std::span<const RgbView> frames, ImageSize size, const PatchOptions& options) {
    return patchify(frames, size, options, Modality::kImage);
  };
  CHECK_THROWS(run({}, {28, 28}, {}), ErrorCode::kInvalidMedia);
  CHECK_THROWS(run(mixed, {28, 28}, {}), ErrorCode::kInvalidMedia);
  CHECK_THROWS(run({&empty, 1}, {28, 28}, {}), ErrorCode::kInvalidMedia);
  CHECK_THROWS(run({&null, 1}, {28, 28}, {}), ErrorCode::kInvalidMedia);
  CHECK_THROWS(run({&good, 1}, {28, 27}, {}), ErrorCode::kInvalidMedia);
  CHECK_THROWS(run({&good, 1}, {0, 28}, {}), ErrorCode::kInvalidMedia);
  PatchOptions options;
  options.do_resize = false;
  CHECK_THROWS(run({&good, 1}, {56, 28}, options), ErrorCode::kInvalidMedia);
  options = {};
  options.std[1] = 0.0F;
  CHECK_THROWS(run({&good, 1}, {28, 28}, options), ErrorCode::kInvalidArgument);
  options = {};
  options.patch_size = 0;
  CHECK_THROWS(run({&good, 1}, {28, 28}, options), ErrorCode::kInvalidArgument);
}
