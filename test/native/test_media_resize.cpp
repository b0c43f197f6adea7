#include <cstdint>
#include <vector>

#include "check.h"
#include "core/error.h"
#include "golden_tensors.h"
#include "media/resize.h"
#include "media/row_resizer.h"
#include "media/smart_resize.h"

using namespace sensorium;

namespace {

std::vector<uint8_t> noise(int32_t width, int32_t height) {
  std::vector<uint8_t> pixels(static_cast<size_t>(width) * height * 3);
  uint32_t state = 1;
  for (uint8_t& pixel : pixels) {
    state = state * 1664525U + 1013904223U;
    // Runs of extremes make the filters overshoot, so that clamping is exercised.
    pixel = (state >> 16) % 3 == 0 ? 255 : (state >> 16) % 3 == 1 ? 0 : static_cast<uint8_t>(state >> 24);
  }
  return pixels;
}

std::vector<uint8_t> resize_with(const MediaKernels& kernels, const std::vector<uint8_t>& image, ImageSize in, ImageSize out,
                                 ResizeFilter filter) {
  RowResizer resizer(in.width, in.height, out.width, out.height, filter, kernels);
  resizer.start(image.data());
  std::vector<uint8_t> result;
  for (int32_t y = 0; y < out.height; ++y) {
    const uint8_t* row = resizer.row(y);
    result.insert(result.end(), row, row + static_cast<size_t>(out.width) * 3);
  }
  return result;
}

}  // namespace

TEST(resize_equals_pillow_on_every_table) {
  const auto folder = golden::root() / "components" / "resize";
  const golden::Tensors tensors(folder / "data.safetensors");
  const Json cases = Json::parse_file((folder / "cases.json").string());
  const std::pair<const char*, ResizeFilter> filters[] = {
      {"bilinear", ResizeFilter::kBilinear}, {"bicubic", ResizeFilter::kBicubic}, {"lanczos", ResizeFilter::kLanczos}};
  int num_compared = 0;
  for (const Json& item : cases.find("cases")->as_array()) {
    const std::string id = std::to_string(item.find("id")->as_int());
    const auto& in_wh = item.find("in_wh")->as_array();
    const auto& out_wh = item.find("out_wh")->as_array();
    const ImageSize in{static_cast<int32_t>(in_wh[1].as_int()), static_cast<int32_t>(in_wh[0].as_int())};
    const ImageSize out{static_cast<int32_t>(out_wh[1].as_int()), static_cast<int32_t>(out_wh[0].as_int())};
    const auto image = tensors.get<uint8_t>("in." + id);
    for (const auto& [name, filter] : filters) {
      const std::string expected_name = "out." + id + "." + name;
      if (!tensors.has(expected_name)) continue;
      const auto expected = tensors.get<uint8_t>(expected_name);
      std::vector<uint8_t> resized(expected.size());
      resize_rgb({image.data(), in.width, in.height}, out.width, out.height, filter, resized.data());
      CHECK(resized == expected);
      for (const MediaKernels* kernels : available_media_kernels()) {
        CHECK(resize_with(*kernels, image, in, out, filter) == expected);
      }
      ++num_compared;
    }
  }
  CHECK(num_compared >= 40);
}

TEST(tables_agree_on_large_images) {
  const std::pair<ImageSize, ImageSize> sizes[] = {
      {{131, 417}, {61, 205}}, {{200, 300}, {200, 151}}, {{333, 77}, {100, 77}}, {{70, 45}, {260, 190}}, {{1500, 3}, {3, 40}}};
  for (const auto& [in, out] : sizes) {
    const auto image = noise(in.width, in.height);
    for (const ResizeFilter filter : {ResizeFilter::kBilinear, ResizeFilter::kBicubic, ResizeFilter::kLanczos}) {
      const auto expected = resize_with(generic_media_kernels(), image, in, out, filter);
      for (const MediaKernels* kernels : available_media_kernels()) {
        CHECK(resize_with(*kernels, image, in, out, filter) == expected);
      }
    }
  }
}

TEST(one_resizer_serves_many_images) {
  const ImageSize in{90, 120}, out{28, 56};
  const auto first = noise(120, 90);
  const std::vector<uint8_t> second(first.rbegin(), first.rend());
  RowResizer resizer(in.width, in.height, out.width, out.height, ResizeFilter::kBicubic);
  for (const std::vector<uint8_t>* image : {&first, &second, &first}) {
    resizer.start(image->data());
    const auto expected = resize_with(generic_media_kernels(), *image, in, out, ResizeFilter::kBicubic);
    for (int32_t y = 0; y < out.height; ++y) {
      CHECK(std::memcmp(resizer.row(y), &expected[static_cast<size_t>(y) * out.width * 3], out.width * 3) == 0);
    }
  }
}

TEST(bad_sizes_are_refused) {
  const uint8_t pixel[3] = {};
  uint8_t out[3];
  CHECK_THROWS(resize_rgb({pixel, 0, 1}, 1, 1, ResizeFilter::kBicubic, out), ErrorCode::kInvalidMedia);
  CHECK_THROWS(resize_rgb({pixel, 1, 1}, 1, -1, ResizeFilter::kBicubic, out), ErrorCode::kInvalidMedia);
  CHECK_THROWS(resize_rgb({pixel, 1, 1}, 70000, 1, ResizeFilter::kBicubic, out), ErrorCode::kInvalidMedia);
  CHECK_THROWS(resize_rgb({nullptr, 1, 1}, 1, 1, ResizeFilter::kBicubic, out), ErrorCode::kInvalidMedia);
}

TEST(smart_resize_equals_reference) {
  const Json cases = Json::parse_file((golden::root() / "components" / "smart_resize" / "cases.json").string());
  const auto get = [](const Json& item, const char* key) { return static_cast<int32_t>(item.find(key)->as_int()); };
  for (const Json& item : cases.find("cases")->as_array()) {
    if (item.find("error") != nullptr) {
      CHECK_THROWS(smart_resize(get(item, "height"), get(item, "width"), get(item, "factor"), item.find("min_pixels")->as_int(),
                                item.find("max_pixels")->as_int()),
                   ErrorCode::kInvalidMedia);
      continue;
    }
    const ImageSize size = smart_resize(get(item, "height"), get(item, "width"), get(item, "factor"),
                                        item.find("min_pixels")->as_int(), item.find("max_pixels")->as_int());
    CHECK_EQ(size.height, item.find("out_hw")->as_array()[0].as_int());
    CHECK_EQ(size.width, item.find("out_hw")->as_array()[1].as_int());
  }
  for (const Json& item : cases.find("qwen3_vl_video")->as_array()) {
    const ImageSize size =
        smart_resize_video(get(item, "frames"), get(item, "height"), get(item, "width"), 2, get(item, "factor"),
                           item.find("min_pixels")->as_int(), item.find("max_pixels")->as_int());
    CHECK_EQ(size.height, item.find("out_hw")->as_array()[0].as_int());
    CHECK_EQ(size.width, item.find("out_hw")->as_array()[1].as_int());
  }
}

TEST(smart_resize_refuses_extremes) {
  CHECK_THROWS(smart_resize(1, 201, 28, 3136, 1000000), ErrorCode::kInvalidMedia);
  CHECK_THROWS(smart_resize(0, 10, 28, 3136, 1000000), ErrorCode::kInvalidMedia);
  CHECK_THROWS(smart_resize(10, -1, 28, 3136, 1000000), ErrorCode::kInvalidMedia);
  CHECK_THROWS(smart_resize(10, 10, 0, 3136, 1000000), ErrorCode::kInvalidArgument);
  CHECK_THROWS(smart_resize(10, 10, 28, 5000, 4000), ErrorCode::kInvalidArgument);
  CHECK_THROWS(smart_resize_video(0, 10, 10, 2, 32, 4096, 100000), ErrorCode::kInvalidMedia);
}
