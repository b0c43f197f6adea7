// How pictures are cut into views and tiles: sizes and counts of the reference's processors, and what lands on a canvas.

#include <cstdio>
#include <vector>

#include "check.h"
#include "core/error.h"
#include "golden_tensors.h"
#include "media/anyres.h"
#include "media/hd_transform.h"
#include "media/slices.h"

using namespace sensorium;

namespace {

int32_t at(const Json& pair, size_t i) { return static_cast<int32_t>(pair.as_array()[i].as_int()); }

/// 384 x 384 to 2304 x 2304.
AnyresRules hub_anyres() {
  AnyresRules rules;
  for (int32_t rows = 1; rows <= 6; ++rows) {
    for (int32_t columns = 1; columns <= 6; ++columns) rules.pinpoints.push_back({rows * rules.tile, columns * rules.tile});
  }
  return rules;
}

void check_anyres(ImageSize image, const Json& expected) {
  const ViewPlan plan = plan_anyres(image, hub_anyres());
  const View& tiled = plan.views.back();
  const Json& best = *expected.find("best_hw");
  CHECK(tiled.canvas.height == at(best, 0) && tiled.canvas.width == at(best, 1));
  CHECK(tiled.top >= 0 && tiled.top + tiled.resized.height <= tiled.canvas.height);
  CHECK(tiled.left >= 0 && tiled.left + tiled.resized.width <= tiled.canvas.width);
  const TileLayout& layout = *plan.tiles;
  CHECK_EQ(27 * 27 + layout.packed_h * (layout.packed_w + 1), expected.get_int("tokens_single", 0));
}

void check_slices(ImageSize image, const Json& expected) {
  const ViewPlan plan = plan_slices(image, {});
  const Json& source = *expected.find("source_wh");
  const Json* grid = expected.find("grid_xy");
  CHECK(plan.views.front().canvas.width == at(source, 0) && plan.views.front().canvas.height == at(source, 1));
  CHECK_EQ(64 * (1 + plan.tiles->num_tiles()), expected.get_int("tokens", 0));
  const bool is_sliced = grid != nullptr && grid->is_array();
  CHECK_EQ(plan.views.size(), size_t{is_sliced ? 2U : 1U});
  if (!is_sliced) return;
  CHECK(plan.tiles->columns == at(*grid, 0) && plan.tiles->rows == at(*grid, 1));
  const Json& slice = *expected.find("slice_wh");
  CHECK(plan.views.back().tile.width == at(slice, 0) && plan.views.back().tile.height == at(slice, 1));
}

void check_hd(ImageSize image, int32_t num_crops, const Json& expected) {
  const bool is_portrait = image.width < image.height;
  const ImageSize landscape = is_portrait ? ImageSize{image.width, image.height} : image;
  const View view = plan_hd(landscape, {num_crops, 336});
  const int32_t height = is_portrait ? view.canvas.width : view.canvas.height;
  const int32_t width = is_portrait ? view.canvas.height : view.canvas.width;
  const Json& padded = *expected.find("padded_hw");
  CHECK(height == at(padded, 0) && width == at(padded, 1));
  const int32_t rows = height / 336, columns = width / 336;
  CHECK_EQ((rows * columns + 1) * 144 + 1 + (rows + 1) * 12, expected.get_int("tokens", 0));
}

std::vector<uint8_t> gray(int32_t width, int32_t height, uint8_t level) {
  return std::vector<uint8_t>(static_cast<size_t>(width) * height * 3, level);
}

/// Rows of floats, unscaled levels.
std::vector<float> rows_of(const ProcessedMedia& media) {
  const Shape shape = media.input_shape();
  std::vector<float> rows(static_cast<size_t>(shape[0] * shape[1]));
  media.expand_rows(0, Matrix(rows.data(), shape[0], shape[1]));
  return rows;
}

PatchOptions plain_options(int32_t patch_size) {
  PatchOptions options;
  options.patch_size = patch_size;
  options.do_rescale = options.do_normalize = false;
  return options;
}

}  // namespace

TEST(pictures_are_cut_as_the_reference_cuts_them) {
  const Json cases = Json::parse_file((golden::root() / "components" / "token_counts" / "cases.json").string());
  int num_checked = 0;
  for (const Json& item : cases.find("cases")->as_array()) {
    const ImageSize image{static_cast<int32_t>(item.get_int("height", 0)), static_cast<int32_t>(item.get_int("width", 0))};
    check_anyres(image, *item.find("llava_onevision"));
    check_slices(image, *item.find("minicpm_v"));
    check_hd(image, 4, *item.find("phi3_v_crops4"));
    check_hd(image, 16, *item.find("phi3_v_crops16"));
    ++num_checked;
  }
  CHECK(num_checked > 0);
  std::printf("     %d sizes\n", num_checked);
}

TEST(the_middle_is_cut_out_of_what_is_larger_and_padded_where_it_is_smaller) {
  const View wide = clip_view({60, 1000}, {70, {}, ImageSize{70, 70}});
  CHECK(wide.resized.height == 70 && wide.resized.width == 1166 && wide.top == 0 && wide.left == -548);
  const View small = clip_view({30, 30}, {10, {}, ImageSize{15, 14}});
  CHECK(small.top == 3 && small.left == 2);
  const std::vector<uint8_t> pixels = gray(30, 30, 9);
  const Canvas canvas = draw_view({pixels.data(), 30, 30}, small, ResizeFilter::kBicubic);
  CHECK_EQ(canvas.pixels.size(), size_t{15 * 14 * 3});
  CHECK(canvas.pixels[0] == 0 && canvas.pixels[(3 * 14 + 2) * 3] == 9 && canvas.pixels[(3 * 14 + 12) * 3] == 0);
}

TEST(tiles_come_in_reading_order_and_leave_out_what_fills_no_patch) {
  // Four quarters of 5 x 5 pixels, each of one level; patches of 2: four a tile.
  std::vector<uint8_t> pixels(10 * 10 * 3);
  for (size_t i = 0; i < pixels.size(); ++i) pixels[i] = static_cast<uint8_t>(1 + i / 3 / 50 * 2 + i / 3 % 10 / 5);
  View view = squashed_view({10, 10});
  view.tile = {5, 5};
  const RgbView picture{pixels.data(), 10, 10};
  const ProcessedMedia media =
      patchify_views({&picture, 1}, {std::nullopt, {view}, std::nullopt}, plain_options(2), Modality::kImage);
  CHECK(media.grid_t == 4 && media.grid_h == 2 && media.grid_w == 2);
  const std::vector<float> rows = rows_of(media);
  CHECK_EQ(rows.size(), size_t{16 * 12});
  for (size_t i = 0; i < rows.size(); ++i) CHECK_EQ(rows[i], static_cast<float>(1 + i / 48));
}

TEST(a_square_of_a_colour_surrounds_the_picture) {
  const std::vector<uint8_t> pixels = gray(4, 2, 7);
  const RgbView picture{pixels.data(), 4, 2};
  const ViewPlan plan{Rgb{1, 2, 3}, {squashed_view({4, 4})}, std::nullopt};
  const std::vector<float> rows = rows_of(patchify_views({&picture, 1}, plan, plain_options(4), Modality::kImage));
  CHECK(rows[0] == 1.0F && rows[16] == 2.0F && rows[32] == 3.0F && rows[4] == 7.0F && rows[11] == 7.0F && rows[12] == 1.0F);
}

TEST(of_a_picture_thinner_than_a_patch_tiles_show_nothing) {
  AnyresRules rules{{{56, 224}, {224, 56}}, 56, 14, 9};
  const TileLayout wide = *plan_anyres({6, 1000}, rules).tiles;
  CHECK(wide.columns == 4 && wide.kept_h == 0 && wide.packed_h == 0 && wide.packed_w == 16);
  const TileLayout tall = *plan_anyres({1000, 6}, rules).tiles;
  CHECK(tall.rows == 4 && tall.kept_w == 0 && tall.packed_w == 0 && tall.packed_h == 16);
  rules.patch_size = 18;  // an odd number of patches leaves the one in the middle
  CHECK_EQ(plan_anyres({6, 1000}, rules).tiles->packed_h, 1);
}

TEST(impossible_pictures_and_rules_are_refused) {
  CHECK_THROWS(clip_view({1, 60000}, {336, {}, ImageSize{336, 336}}), ErrorCode::kInvalidMedia);
  CHECK_THROWS(plan_hd({1, 60000}, {4, 336}), ErrorCode::kInvalidMedia);
  CHECK_THROWS(plan_hd({10, 10}, {0, 336}), ErrorCode::kInvalidArgument);
  CHECK_THROWS(plan_anyres({0, 5}, hub_anyres()), ErrorCode::kInvalidMedia);
  CHECK_THROWS(plan_anyres({5, 5}, {}), ErrorCode::kInvalidArgument);
  CHECK_THROWS(plan_slices({5, 5}, {0, 448, 14}), ErrorCode::kInvalidArgument);
  const std::vector<uint8_t> pixels = gray(4, 4, 7);
  const RgbView picture{pixels.data(), 4, 4};
  const ViewPlan uneven{std::nullopt, {{{4, 4}, 0, 0, {4, 4}, {3, 3}, {}}}, std::nullopt};
  CHECK_THROWS(patchify_views({&picture, 1}, uneven, plain_options(2), Modality::kImage), ErrorCode::kInvalidMedia);
  const ViewPlan nothing{std::nullopt, {}, std::nullopt};
  CHECK_THROWS(patchify_views({&picture, 1}, nothing, plain_options(2), Modality::kImage), ErrorCode::kInvalidMedia);
}
