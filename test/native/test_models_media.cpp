// Encoders: how many rows media yield, what they refuse, and that long media in pieces give the bits of short ones.

#include <algorithm>
#include <random>

#include "backend_testing.h"
#include "check.h"
#include "core/error.h"
#include "golden_tensors.h"
#include "models/model.h"

using namespace sensorium;           // NOLINT(google-build-using-namespace)
using namespace sensorium::testing;  // NOLINT(google-build-using-namespace)

namespace {

constexpr int64_t kPatchDim = 1176, kQwen3PatchDim = 1536, kNumMelBins = 128;

struct Loaded {
  std::unique_ptr<Backend> backend;
  std::unique_ptr<Model> model;
  Arena arena;
};

Loaded load(const std::filesystem::path& folder) {
  Loaded loaded;
  loaded.backend = create({available_isas().back(), false, DType::kFloat32});
  loaded.model = load_model(folder, *loaded.backend, {});
  return loaded;
}

Loaded load_golden(const std::string& family) { return load(golden::root() / family / "model"); }

Tensor random_tensor(Shape shape) {
  Tensor tensor(std::move(shape));
  const std::vector<float> values = Random(7).normal(tensor.size());
  std::copy(values.begin(), values.end(), tensor.data());
  return tensor;
}

ProcessedMedia picture(int32_t grid_t, int32_t grid_h, int32_t grid_w, int64_t patch_dim = kPatchDim) {
  ProcessedMedia media;
  media.modality = grid_t > 1 ? Modality::kVideo : Modality::kImage;
  media.features = random_tensor({int64_t{grid_t} * grid_h * grid_w, patch_dim});
  media.grid_t = grid_t;
  media.grid_h = grid_h;
  media.grid_w = grid_w;
  return media;
}

ProcessedMedia picture_of_levels(int32_t num_frames, int32_t grid_h, int32_t grid_w) {
  ProcessedMedia media;
  LevelTable values;
  for (size_t i = 0; i < 3 * 256; ++i) values[i / 256][i % 256] = static_cast<float>(i) / 384.0F - 1.0F;
  media.patches = Patches(int64_t{grid_h} * grid_w, 2, num_frames, 14, values);
  const int64_t num_levels = int64_t{grid_h} * grid_w * 3 * num_frames * 14 * 14;
  for (int64_t i = 0; i < num_levels; ++i) media.patches.levels()[i] = static_cast<uint8_t>((i * 2654435761) >> 13);
  media.grid_t = 1;
  media.grid_h = grid_h;
  media.grid_w = grid_w;
  return media;
}

ProcessedMedia sound(int64_t num_frames) {
  ProcessedMedia media;
  media.modality = Modality::kAudio;
  media.features = random_tensor({num_frames, kNumMelBins});
  return media;
}

/// Rows [first, first + count) of the features as media of their own.
ProcessedMedia part(const ProcessedMedia& whole, int64_t first, int64_t count) {
  ProcessedMedia media;
  media.modality = whole.modality;
  media.grid_h = whole.grid_h;
  media.grid_w = whole.grid_w;
  media.grid_t = whole.grid_t > 0 ? 1 : 0;
  const int64_t cols = whole.features.shape()[1];
  media.features = Tensor::from({whole.features.data() + first * cols, DType::kFloat32, {count, cols}});
  return media;
}

bool starts_with(const Tensor& whole, int64_t first_row, const Tensor& rows) {
  const float* begin = whole.data() + first_row * whole.shape()[1];
  return first_row + rows.shape()[0] <= whole.shape()[0] && std::equal(rows.data(), rows.data() + rows.size(), begin);
}

}  // namespace

TEST(sounds_yield_the_tokens_of_the_reference) {
  const Loaded omni = load_golden("qwen2_5_omni");
  const Json root = Json::parse_file((golden::root() / "components" / "token_counts" / "cases.json").string());
  int num_cases = 0;
  for (const Json& entry : root.find("audio")->as_array()) {
    const ProcessedMedia media = sound(entry.get_int("mel_max_length", 0));
    const int64_t expected = entry.get_int("qwen2_audio_or_omni2_5_tokens", -1);
    if (expected == 0) {
      CHECK_THROWS(omni.model->num_encoder_rows(media), ErrorCode::kInvalidMedia);
    } else {
      CHECK_EQ(omni.model->num_encoder_rows(media), expected);
    }
    ++num_cases;
  }
  CHECK(num_cases > 5);
}

TEST(qwen3_sounds_yield_the_tokens_of_the_reference) {
  const Loaded omni = load_golden("qwen3_omni_moe");
  const Json root = Json::parse_file((golden::root() / "components" / "token_counts" / "cases.json").string());
  int num_cases = 0;
  for (const auto& [num_frames, num_tokens] : root.find("qwen3_omni_tokens")->as_object()) {
    CHECK_EQ(omni.model->num_encoder_rows(sound(std::stoll(num_frames))), num_tokens.as_int());
    ++num_cases;
  }
  CHECK(num_cases > 10);
}

TEST(a_long_video_gives_the_rows_of_its_frames) {
  for (const char* family : {"qwen2_vl", "qwen2_5_vl", "qwen3_vl"}) {
    Loaded loaded = load_golden(family);
    const ProcessedMedia clip = picture(3, 44, 52, family == std::string("qwen3_vl") ? kQwen3PatchDim : kPatchDim);
    const int64_t patches = int64_t{44} * 52;
    const Tensor whole = loaded.model->encode(clip, loaded.arena);
    for (int64_t t = 0; t < 3; ++t) {
      const Tensor frame = loaded.model->encode(part(clip, t * patches, patches), loaded.arena);
      CHECK(starts_with(whole, t * patches / 4, frame));
    }
  }
}

TEST(patches_as_levels_give_the_rows_of_their_floats) {
  for (const char* family : {"qwen2_vl", "qwen2_5_vl"}) {
    Loaded loaded = load_golden(family);
    for (const int32_t num_frames : {1, 2}) {  // stored of each patch
      const ProcessedMedia levels = picture_of_levels(num_frames, 36, 40);
      ProcessedMedia floats = picture(1, 36, 40);
      levels.patches.expand(0, Matrix(floats.features.data(), 36 * 40, kPatchDim));
      CHECK_EQ(loaded.model->num_encoder_rows(levels), int64_t{360});
      CHECK(starts_with(loaded.model->encode(levels, loaded.arena), 0, loaded.model->encode(floats, loaded.arena)));
    }
  }
}

TEST(a_long_sound_gives_the_rows_of_its_chunks) {
  Loaded omni = load_golden("qwen2_5_omni");
  const ProcessedMedia clip = sound(2101);
  const Tensor whole = omni.model->encode(clip, omni.arena);
  CHECK_EQ(whole.shape()[0], int64_t{525});
  CHECK(starts_with(whole, 0, omni.model->encode(part(clip, 0, 1800), omni.arena)));
  CHECK(starts_with(whole, 450, omni.model->encode(part(clip, 1800, 301), omni.arena)));
}

TEST(a_long_qwen3_sound_gives_the_rows_of_its_windows) {
  Loaded omni = load_golden("qwen3_omni_moe");  // windows of two chunks
  const ProcessedMedia clip = sound(530);
  const Tensor whole = omni.model->encode(clip, omni.arena);
  CHECK_EQ(whole.shape()[0], int64_t{5 * 13 + 4});
  CHECK(starts_with(whole, 0, omni.model->encode(part(clip, 0, 400), omni.arena)));
  CHECK(starts_with(whole, 52, omni.model->encode(part(clip, 400, 130), omni.arena)));
}

TEST(rows_have_columns_for_each_deepstack_level) {
  Loaded omni = load_golden("qwen3_omni_moe");
  const ModelInfo& info = omni.model->info();
  CHECK_EQ(info.embedding_width, 3 * info.hidden_size);
  const Tensor heard = omni.model->encode(sound(100), omni.arena);
  CHECK(heard.shape() == Shape({13, info.embedding_width}));
  for (int64_t i = info.hidden_size; i < info.embedding_width; ++i) CHECK_EQ(heard.data()[i], 0.0F);
  const Tensor seen = omni.model->encode(picture(1, 4, 6, kQwen3PatchDim), omni.arena);
  CHECK(seen.shape() == Shape({6, info.embedding_width}));

  ProcessedMedia ready;
  ready.modality = Modality::kImage;
  ready.embeddings = Tensor::from({seen.data(), DType::kFloat32, seen.shape()});
  CHECK(starts_with(omni.model->encode(ready, omni.arena), 0, seen));
  ready.embeddings = random_tensor({6, info.hidden_size});
  CHECK_THROWS(omni.model->num_encoder_rows(ready), ErrorCode::kInvalidMedia);
  ready.modality = Modality::kAudio;
  const Tensor passed = omni.model->encode(ready, omni.arena);
  CHECK(passed.shape() == Shape({6, info.embedding_width}));
  CHECK(std::equal(ready.embeddings.data(), ready.embeddings.data() + info.hidden_size, passed.data()));
}

TEST(shapes_that_no_encoder_reads_are_refused) {
  const Loaded omni = load_golden("qwen2_5_omni");
  const auto refuses = [&](const ProcessedMedia& media) {
    CHECK_THROWS(omni.model->num_encoder_rows(media), ErrorCode::kInvalidMedia);
  };
  refuses({});
  ProcessedMedia media = picture(1, 4, 4);
  media.grid_t = 2;
  refuses(media);
  media = picture(1, 4, 3);
  refuses(media);
  media = picture(1, 4, 4);
  media.grid_h = media.grid_w = -4;
  refuses(media);
  media = picture(1, 4, 4);
  media.features = random_tensor({16, kPatchDim - 1});
  refuses(media);
  media = picture_of_levels(1, 4, 4);
  media.grid_w = 8;
  refuses(media);
  media = picture_of_levels(1, 4, 4);
  media.patches = Patches(16, 2, 1, 16, {});
  refuses(media);
  media = sound(100);
  media.features = random_tensor({100, kNumMelBins + 1});
  refuses(media);
  media = sound(100);
  media.features = random_tensor({100 * kNumMelBins});
  refuses(media);
}

TEST(ready_made_embeddings_pass_through) {
  Loaded omni = load_golden("qwen2_5_omni");
  ProcessedMedia media;
  media.modality = Modality::kImage;
  media.embeddings = random_tensor({5, omni.model->info().embedding_width});
  CHECK_EQ(omni.model->num_encoder_rows(media), int64_t{5});
  CHECK(starts_with(omni.model->encode(media, omni.arena), 0, media.embeddings));
  media.embeddings = random_tensor({5, omni.model->info().embedding_width + 1});
  CHECK_THROWS(omni.model->num_encoder_rows(media), ErrorCode::kInvalidMedia);
}

TEST(vision_models_take_no_sound) {
  Loaded loaded = load_golden("qwen2_5_vl");
  CHECK(!loaded.model->info().has_audio && loaded.model->info().has_video);
  CHECK_THROWS(loaded.model->num_encoder_rows(sound(100)), ErrorCode::kInvalidMedia);
  CHECK_THROWS(loaded.model->encode(sound(100), loaded.arena), ErrorCode::kInvalidMedia);
}

TEST(demo_model_sees_and_hears) {
  Loaded demo = load(std::filesystem::path(SENSORIUM_SOURCE_DIR) / "models" / "demo");
  const ModelInfo& info = demo.model->info();
  CHECK_EQ(info.architecture, std::string("Qwen2_5OmniThinkerForConditionalGeneration"));
  CHECK_EQ(info.family, std::string("qwen2_5_omni"));
  CHECK_EQ(info.vocab_size, int64_t{1216});
  CHECK(info.num_parameters > 8'000'000 && info.num_parameters < 8'300'000);
  CHECK(info.has_image && info.has_video && info.has_audio);
  CHECK_EQ(demo.model->encode(picture(1, 8, 12), demo.arena).shape()[0], int64_t{24});
  CHECK_EQ(demo.model->encode(sound(100), demo.arena).shape()[0], int64_t{25});
}
