// Ready-made encoder rows: what is refused, and that models read them as their encoder's own.

#include <cmath>
#include <limits>
#include <memory>
#include <vector>

#include "backend_testing.h"
#include "check.h"
#include "core/error.h"
#include "golden_case.h"
#include "media/embeddings.h"
#include "models/model.h"

using namespace sensorium;           // NOLINT(google-build-using-namespace)
using namespace sensorium::testing;  // NOLINT(google-build-using-namespace)

namespace {

constexpr PatchGrid kGrid{1, 4, 4};

struct Loaded {
  std::unique_ptr<Backend> backend;
  std::unique_ptr<Model> model;
  Arena arena;
};

Loaded load_golden(const std::string& family) {
  Loaded loaded;
  loaded.backend = create({available_isas().back(), false, DType::kFloat32});
  loaded.model = load_model(golden::root() / family / "model", *loaded.backend, {});
  return loaded;
}

/// The item with its encoder rows in place of its features.
MediaItem with_embeddings(const golden::CaseItem& source, const golden::Tensors& tensors) {
  const ProcessedMedia& features = *source.item.media;
  const std::vector<float> rows = tensors.get<float>(source.embeds_name);
  MediaItem item = source.item;
  item.media = std::make_shared<const ProcessedMedia>(take_embeddings(features.modality, rows, item.num_tokens(),
                                                                      {features.grid_t, features.grid_h, features.grid_w},
                                                                      features.seconds_per_grid));
  return item;
}

}  // namespace

TEST(rows_are_kept_as_they_are) {
  const std::vector<float> rows{1.0F, -2.0F, 3e38F, -0.0F, 1e-45F, 0.5F};
  const ProcessedMedia media = take_embeddings(Modality::kVideo, rows, 2, {2, 4, 6}, 0.5F);
  CHECK(media.modality == Modality::kVideo);
  CHECK(media.embeddings.shape() == (Shape{2, 3}));
  CHECK(std::vector<float>(media.embeddings.data(), media.embeddings.data() + 6) == rows);
  CHECK_EQ(media.grid_t, 2);
  CHECK_EQ(media.grid_h, 4);
  CHECK_EQ(media.grid_w, 6);
  CHECK_EQ(media.seconds_per_grid, 0.5F);
  CHECK_EQ(media.size_bytes(), rows.size() * sizeof(float));
}

TEST(values_that_are_no_numbers_are_refused) {
  constexpr float infinity = std::numeric_limits<float>::infinity();
  for (const float bad : {std::nanf(""), -std::nanf("7"), infinity, -infinity}) {
    for (const size_t index : {size_t{0}, size_t{511}, size_t{1000}, size_t{1023}}) {
      std::vector<float> rows(1024, 1.0F);
      rows[index] = bad;
      CHECK_THROWS(take_embeddings(Modality::kImage, rows, 16, kGrid, 0.0F), ErrorCode::kInvalidMedia);
    }
  }
}

TEST(values_that_are_no_rows_are_refused) {
  const std::vector<float> rows(12, 1.0F);
  for (const int64_t num_rows : {int64_t{0}, int64_t{-1}, int64_t{5}, int64_t{13}, std::numeric_limits<int64_t>::max()}) {
    CHECK_THROWS(take_embeddings(Modality::kImage, rows, num_rows, kGrid, 0.0F), ErrorCode::kInvalidArgument);
  }
  CHECK_THROWS(take_embeddings(Modality::kImage, {}, 1, kGrid, 0.0F), ErrorCode::kInvalidArgument);
}

TEST(a_model_refuses_rows_of_another_width) {
  const Loaded loaded = load_golden("qwen2_vl");
  const int64_t width = loaded.model->info().embedding_width;
  for (const int64_t columns : {int64_t{1}, width - 1, width + 1, 2 * width}) {
    const std::vector<float> rows(static_cast<size_t>(4 * columns), 0.5F);
    const ProcessedMedia media = take_embeddings(Modality::kImage, rows, 4, kGrid, 0.0F);
    CHECK_THROWS(loaded.model->num_encoder_rows(media), ErrorCode::kInvalidMedia);
  }
}

TEST(rows_pass_through_and_take_the_positions_of_the_reference) {
  for (const char* family : {"qwen2_vl", "qwen2_5_vl", "qwen2_5_omni"}) {
    Loaded loaded = load_golden(family);
    const golden::PlaceholderIds ids = golden::read_placeholder_ids(golden::root() / family / "model");
    int num_items = 0;
    for (const std::filesystem::path& folder : golden::case_folders(family)) {
      const golden::Case golden_case = golden::load_case(folder, ids);
      std::vector<MediaItem> ready;
      for (const golden::CaseItem& source : golden_case.items) {
        ready.push_back(with_embeddings(source, golden_case.tensors));
        const ProcessedMedia& media = *ready.back().media;
        CHECK_EQ(loaded.model->num_encoder_rows(media), int64_t{ready.back().num_tokens()});
        const Tensor rows = loaded.model->encode(media, loaded.arena);
        CHECK(std::equal(rows.data(), rows.data() + rows.size(), media.embeddings.data()));
        ++num_items;
      }
      const PromptPositions expected = loaded.model->positions(golden_case.prompt_ids, golden_case.media());
      const PromptPositions found = loaded.model->positions(golden_case.prompt_ids, ready);
      CHECK(found.t == expected.t && found.h == expected.h && found.w == expected.w && found.delta == expected.delta);
    }
    CHECK(num_items > 0);
  }
}
