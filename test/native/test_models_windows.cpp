// Attention windows and patch places of the vision towers against the reference.

#include "check.h"
#include "golden_tensors.h"
#include "models/vision/frame_plan.h"
#include "models/vision/window_order.h"

using namespace sensorium;  // NOLINT(google-build-using-namespace)

namespace {

struct WindowCase {
  std::string id;
  PatchGrid grid;
  int32_t window_cells = 0;
};

std::vector<WindowCase> load_cases(const std::filesystem::path& folder) {
  const Json root = Json::parse_file((folder / "cases.json").string());
  std::vector<WindowCase> cases;
  for (const Json& entry : root.find("cases")->as_array()) {
    const auto& grid = entry.find("grid_thw")->as_array();
    const auto size = [&](size_t axis) { return static_cast<int32_t>(grid[axis].as_int()); };
    const auto merge = static_cast<int32_t>(entry.get_int("merge", 0));
    const auto patch = static_cast<int32_t>(entry.get_int("patch", 0));
    const auto window = static_cast<int32_t>(entry.get_int("window_size", 0));
    cases.push_back({std::to_string(entry.get_int("id", -1)), {size(0), size(1), size(2), merge}, window / merge / patch});
  }
  return cases;
}

}  // namespace

TEST(windows_equal_the_reference) {
  const std::filesystem::path folder = golden::root() / "components" / "vision_windows";
  const golden::Tensors tensors(folder / "data.safetensors");
  const std::vector<WindowCase> cases = load_cases(folder);
  CHECK(!cases.empty());
  for (const WindowCase& entry : cases) {
    const PatchGrid& grid = entry.grid;
    const WindowOrder order =
        window_order(grid.num_frames, grid.height / grid.merge_size, grid.width / grid.merge_size, entry.window_cells);
    CHECK(order.cells == tensors.get<int32_t>("window_index." + entry.id));
    CHECK(plan_frames(grid, entry.window_cells).window_bounds == tensors.get<int32_t>("cu_window_seqlens." + entry.id));
  }
}

TEST(patch_places_equal_the_reference) {
  const std::filesystem::path folder = golden::root() / "components" / "vision_windows";
  const golden::Tensors tensors(folder / "data.safetensors");
  int num_cases = 0;
  for (const WindowCase& entry : load_cases(folder)) {
    const std::string name = "position_ids_hw." + entry.id;
    if (!tensors.has(name)) continue;  // stored once for each grid
    const std::vector<int32_t> expected = tensors.get<int32_t>(name);
    const FramePlan plan = plan_frames(entry.grid, std::nullopt);
    CHECK_EQ(plan.rows.size() * 2, expected.size());
    for (size_t i = 0; i < plan.rows.size(); ++i) {
      CHECK_EQ(plan.rows[i], static_cast<float>(expected[2 * i]));
      CHECK_EQ(plan.columns[i], static_cast<float>(expected[2 * i + 1]));
    }
    ++num_cases;
  }
  CHECK(num_cases > 0);
}

TEST(windows_carry_the_places_of_their_cells) {
  const PatchGrid grid{2, 10, 18, 2};
  const FramePlan plain = plan_frames(grid, std::nullopt), windowed = plan_frames(grid, 4);
  CHECK(plain.window_bounds.empty() && plain.cell_order.empty());
  CHECK(plain.frame_bounds == std::vector<int32_t>({0, 180, 360}));
  CHECK(windowed.frame_bounds == plain.frame_bounds);
  for (size_t place = 0; place < windowed.cell_order.size(); ++place) {
    const size_t from = static_cast<size_t>(windowed.cell_order[place]) * 4, to = place * 4;
    for (size_t i = 0; i < 4; ++i) {
      CHECK_EQ(windowed.rows[to + i], plain.rows[from + i]);
      CHECK_EQ(windowed.columns[to + i], plain.columns[from + i]);
    }
  }
}
