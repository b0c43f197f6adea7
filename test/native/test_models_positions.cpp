// M-RoPE positions of the Qwen families against the reference, and prompts whose media do not fit.

#include <algorithm>
#include <limits>

#include "check.h"
#include "core/error.h"
#include "golden_tensors.h"
#include "models/mrope/mrope_positions.h"

using namespace sensorium;  // NOLINT(google-build-using-namespace)

namespace {

const std::filesystem::path kFolder = golden::root() / "components" / "mrope";

std::vector<TokenRun> runs_of(const std::vector<int32_t>& ids, int32_t id) {
  std::vector<TokenRun> runs;
  for (size_t i = 0; i < ids.size(); ++i) {
    if (ids[i] != id) continue;
    if (i == 0 || ids[i - 1] != id) runs.push_back({static_cast<int32_t>(i), 0});
    runs.back().count++;
  }
  return runs;
}

MediaItem make_item(Modality modality, std::vector<TokenRun> runs, const std::vector<int64_t>& grid = {0, 0, 0}) {
  auto media = std::make_shared<ProcessedMedia>();
  media->modality = modality;
  media->grid_t = static_cast<int32_t>(grid[0]);
  media->grid_h = static_cast<int32_t>(grid[1]);
  media->grid_w = static_cast<int32_t>(grid[2]);
  return {"", std::move(media), std::move(runs), false};
}

std::vector<std::vector<int64_t>> grids_of(const Json& entry, const char* key) {
  std::vector<std::vector<int64_t>> grids;
  const Json* list = entry.find(key);
  if (list == nullptr) return grids;
  for (const Json& grid : list->as_array()) {
    grids.push_back({grid.as_array()[0].as_int(), grid.as_array()[1].as_int(), grid.as_array()[2].as_int()});
  }
  return grids;
}

MediaItem with_seconds(MediaItem item, const Json& entry, size_t index) {
  const Json* seconds = entry.find("second_per_grid_ts");
  if (seconds == nullptr) return item;
  auto media = std::make_shared<ProcessedMedia>();
  media->modality = Modality::kVideo;
  media->grid_t = item.media->grid_t;
  media->grid_h = item.media->grid_h;
  media->grid_w = item.media->grid_w;
  media->seconds_per_grid = static_cast<float>(seconds->as_array()[index].as_double());
  item.media = std::move(media);
  return item;
}

std::vector<MediaItem> items_of(const Json& entry, const std::vector<int32_t>& ids, const MropeRules& rules) {
  const auto image_grids = grids_of(entry, "image_grid_thw"), video_grids = grids_of(entry, "video_grid_thw");
  const std::vector<TokenRun> images = runs_of(ids, rules.image_token_id), videos = runs_of(ids, rules.video_token_id);
  const std::vector<TokenRun> audios = rules.audio_token_id ? runs_of(ids, *rules.audio_token_id) : std::vector<TokenRun>{};
  std::vector<MediaItem> items;
  if (entry.get_bool("use_audio_in_video", false)) {
    items.push_back(with_seconds(make_item(Modality::kVideo, videos, video_grids[0]), entry, 0));
    items.back().is_interleaved_with_audio = true;
    items.push_back(make_item(Modality::kAudio, audios));
    return items;
  }
  for (size_t i = 0; i < images.size(); ++i) items.push_back(make_item(Modality::kImage, {images[i]}, image_grids[i]));
  for (size_t i = 0, next = 0; i < video_grids.size(); ++i) {
    const auto begin = videos.begin() + static_cast<std::ptrdiff_t>(next);
    next += rules.has_split_videos ? static_cast<size_t>(video_grids[i][0]) : 1;
    const std::vector<TokenRun> runs(begin, videos.begin() + static_cast<std::ptrdiff_t>(next));
    items.push_back(with_seconds(make_item(Modality::kVideo, runs, video_grids[i]), entry, i));
  }
  for (const TokenRun& run : audios) items.push_back(make_item(Modality::kAudio, {run}));
  std::sort(items.begin(), items.end(),
            [](const MediaItem& a, const MediaItem& b) { return a.runs[0].offset < b.runs[0].offset; });
  return items;
}

MropeRules rules_of(const Json& root, const Json& entry) {
  const Json& ids = *root.find("token_ids");
  MropeRules rules;
  rules.image_token_id = static_cast<int32_t>(ids.get_int("image", 0));
  rules.video_token_id = static_cast<int32_t>(ids.get_int("video", 0));
  const std::string kind = entry.get_string("kind", "");
  if (kind == "qwen2_5_vl") rules.ids_per_second = static_cast<float>(entry.get_double("tokens_per_second", 0));
  rules.has_split_videos = kind == "qwen3_vl";
  rules.has_fractional_time = kind == "qwen3_omni_moe";
  rules.has_shared_borders = kind != "qwen3_omni_moe";
  if (kind != "qwen2_5_omni" && kind != "qwen3_omni_moe") return rules;
  rules.audio_token_id = static_cast<int32_t>(ids.get_int("audio", 0));
  rules.ids_per_second = static_cast<float>(entry.get_double("position_id_per_seconds", 0));
  return rules;
}

int check_kind(const std::string& kind) {
  const Json root = Json::parse_file((kFolder / "cases.json").string());
  const golden::Tensors tensors(kFolder / "data.safetensors");
  int num_cases = 0;
  for (const Json& entry : root.find("cases")->as_array()) {
    if (entry.get_string("kind", "") != kind) continue;
    const std::string id = std::to_string(entry.get_int("id", -1));
    const std::vector<int64_t> stored_ids = tensors.get<int64_t>("ids." + id);
    const std::vector<int32_t> ids(stored_ids.begin(), stored_ids.end());
    const MropeRules rules = rules_of(root, entry);
    const PromptPositions found = mrope_positions(ids, items_of(entry, ids, rules), rules);
    std::vector<float> all = found.t;
    all.insert(all.end(), found.h.begin(), found.h.end());
    all.insert(all.end(), found.w.begin(), found.w.end());
    if (all != tensors.numbers("pos." + id)) check::fail(__FILE__, __LINE__, "case " + id);
    CHECK_EQ(static_cast<double>(found.delta) + static_cast<double>(ids.size()), entry.get_double("next_position", -1));
    ++num_cases;
  }
  return num_cases;
}

const std::vector<int32_t> kPictureIds{1, 88, 90, 90, 89, 5};
const MropeRules kRules = [] {
  MropeRules rules;
  rules.image_token_id = 90;
  rules.video_token_id = 91;
  return rules;
}();

PromptPositions position_picture(const MediaItem& item) { return mrope_positions(kPictureIds, {&item, 1}, kRules); }

}  // namespace

TEST(qwen2_vl_equals_the_reference) { CHECK_EQ(check_kind("qwen2_vl"), 14); }
TEST(qwen2_5_vl_equals_the_reference) { CHECK_EQ(check_kind("qwen2_5_vl"), 28); }
TEST(qwen2_5_omni_equals_the_reference) { CHECK_EQ(check_kind("qwen2_5_omni"), 13); }
TEST(qwen3_vl_equals_the_reference) { CHECK_EQ(check_kind("qwen3_vl"), 14); }
TEST(qwen3_omni_equals_the_reference) { CHECK_EQ(check_kind("qwen3_omni_moe"), 13); }

TEST(a_split_clip_needs_a_run_for_each_temporal_patch) {
  MropeRules rules = kRules;
  rules.has_split_videos = true;
  const std::vector<int32_t> ids{91, 1, 91, 5};
  const MediaItem split = make_item(Modality::kVideo, {{0, 1}, {2, 1}}, {2, 2, 2});
  CHECK(mrope_positions(ids, {&split, 1}, rules).t == std::vector<float>({0, 1, 2, 3}));
  const std::vector<int32_t> joined_ids{91, 91, 5};
  const MediaItem joined = make_item(Modality::kVideo, {{0, 2}}, {2, 2, 2});
  CHECK_THROWS(mrope_positions(joined_ids, {&joined, 1}, rules), ErrorCode::kInvalidArgument);
  CHECK_THROWS(mrope_positions(ids, {&split, 1}, kRules), ErrorCode::kInvalidArgument);
}

TEST(text_counts_up) {
  const PromptPositions positions = sequential_positions(3);
  CHECK(positions.t == std::vector<float>({0, 1, 2}) && positions.h == positions.t && positions.w == positions.t);
  CHECK_EQ(positions.delta, 0.0F);
}

TEST(placeholders_that_do_not_fit_their_grid_are_refused) {
  CHECK_EQ(position_picture(make_item(Modality::kImage, {{2, 2}}, {1, 2, 4})).t.size(), kPictureIds.size());
  CHECK_THROWS(position_picture(make_item(Modality::kImage, {{2, 2}}, {1, 4, 4})), ErrorCode::kInvalidArgument);
  CHECK_THROWS(position_picture(make_item(Modality::kImage, {{2, 2}}, {1, 3, 4})), ErrorCode::kInvalidArgument);
  CHECK_THROWS(position_picture(make_item(Modality::kImage, {{2, 2}}, {0, 0, 0})), ErrorCode::kInvalidArgument);
  CHECK_THROWS(position_picture(make_item(Modality::kImage, {{2, 2}}, {1 << 30, 1 << 30, 1 << 30})),
               ErrorCode::kInvalidArgument);
}

TEST(runs_outside_the_prompt_or_on_other_tokens_are_refused) {
  const std::vector<int64_t> grid{1, 2, 4};
  CHECK_THROWS(position_picture(make_item(Modality::kImage, {{1, 2}}, grid)), ErrorCode::kInvalidArgument);
  CHECK_THROWS(position_picture(make_item(Modality::kImage, {{5, 2}}, grid)), ErrorCode::kInvalidArgument);
  CHECK_THROWS(position_picture(make_item(Modality::kImage, {{-1, 2}}, grid)), ErrorCode::kInvalidArgument);
  CHECK_THROWS(position_picture(make_item(Modality::kImage, {{2, std::numeric_limits<int32_t>::max()}}, grid)),
               ErrorCode::kInvalidArgument);
  CHECK_THROWS(position_picture(make_item(Modality::kImage, {}, grid)), ErrorCode::kInvalidArgument);
  CHECK_THROWS(position_picture(make_item(Modality::kVideo, {{2, 2}}, grid)), ErrorCode::kInvalidArgument);
  CHECK_THROWS(position_picture(make_item(Modality::kAudio, {{2, 2}})), ErrorCode::kInvalidArgument);
  CHECK_THROWS(position_picture(MediaItem{"", nullptr, {{2, 2}}, false}), ErrorCode::kInvalidArgument);
}

TEST(items_that_overlap_are_refused) {
  const std::vector<MediaItem> twice(2, make_item(Modality::kImage, {{2, 2}}, {1, 2, 4}));
  CHECK_THROWS(mrope_positions(kPictureIds, twice, kRules), ErrorCode::kInvalidArgument);
}

TEST(interleaving_needs_its_sound_and_its_border_tokens) {
  MropeRules rules = kRules;
  rules.audio_token_id = 92;
  rules.ids_per_second = 25.0F;
  const std::vector<int32_t> ids{88, 86, 91, 92, 87, 89};
  std::vector<MediaItem> items{make_item(Modality::kVideo, {{2, 1}}, {1, 2, 2}), make_item(Modality::kAudio, {{3, 1}})};
  items[0].is_interleaved_with_audio = true;
  CHECK_EQ(mrope_positions(ids, items, rules).t.back(), 2.0F);
  CHECK_THROWS(mrope_positions(ids, {items.data(), 1}, rules), ErrorCode::kInvalidArgument);
  CHECK_THROWS(mrope_positions({ids.data(), 5}, items, rules), ErrorCode::kInvalidArgument);
  const std::vector<int32_t> gap{88, 86, 91, 1, 92, 87, 89};
  items[1] = make_item(Modality::kAudio, {{4, 1}});
  CHECK_THROWS(mrope_positions(gap, items, rules), ErrorCode::kInvalidArgument);
}

TEST(video_time_must_be_a_number) {
  auto media = std::make_shared<ProcessedMedia>();
  media->modality = Modality::kVideo;
  media->grid_t = 1;
  media->grid_h = media->grid_w = 2;
  media->seconds_per_grid = std::numeric_limits<float>::quiet_NaN();
  const MediaItem item{"", media, {{0, 1}}, false};
  const std::vector<int32_t> ids{91};
  CHECK_THROWS(mrope_positions(ids, {&item, 1}, kRules), ErrorCode::kInvalidArgument);
}
