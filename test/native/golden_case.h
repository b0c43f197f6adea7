#pragma once

#include <algorithm>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "core/media_input.h"
#include "golden_pictures.h"
#include "golden_tensors.h"
#include "media/log_mel.h"
#include "media/patchify.h"
#include "png_reader.h"
#include "wav_reader.h"

/// Cases of the golden families: inputs as the reference's processors made them, and what the reference computed.
namespace golden {

/// How a family's processor makes features of sounds, where the reference stores only those of the sound itself.
enum class SoundRule {
  kStored,    ///< as stored
  kPadded,    ///< of the sound padded to 30 s; two frames behind the sound count
  kTogether,  ///< of the sound padded to the longest of its request; frames that fill up the last token count
};

/// Placeholder ids as config.json states them; absent ones never occur in a prompt.
struct PlaceholderIds {
  int32_t image = -1, video = -1, audio = -1;
  SoundRule sound_rule = SoundRule::kStored;
  std::string family = {};  ///< model_type
};

inline PlaceholderIds read_placeholder_ids(const std::filesystem::path& model_folder) {
  const sensorium::Json root = sensorium::Json::parse_file((model_folder / "config.json").string());
  const sensorium::Json* thinker = root.find("thinker_config");
  const sensorium::Json& config = thinker != nullptr ? *thinker : root;
  const auto id = [&](const char* by_id, const char* by_index) {
    return static_cast<int32_t>(config.get_int(by_id, config.get_int(by_index, -1)));
  };
  const std::string family = root.get_string("model_type", "");
  const SoundRule sound_rule = family == "qwen2_audio" ? SoundRule::kPadded
                               : family == "ultravox"  ? SoundRule::kTogether
                                                       : SoundRule::kStored;
  return {id("image_token_id", "image_token_index"), id("video_token_id", "video_token_index"),
          id("audio_token_id", "audio_token_index"), sound_rule, family};
}

/// One media item of a case.
struct CaseItem {
  sensorium::MediaItem item;
  std::string embeds_name;    ///< golden tensor of its encoder rows
  bool has_features = false;  ///< all rows of the processor's output are stored, or were made from the pictures
};

struct Case {
  std::string name;
  std::filesystem::path folder;
  sensorium::Json expected;
  sensorium::Json request;
  Tensors tensors;
  std::vector<int32_t> prompt_ids;
  std::vector<int32_t> generated_ids;
  std::vector<CaseItem> items;

  std::vector<sensorium::MediaItem> media() const {
    std::vector<sensorium::MediaItem> result;
    for (const CaseItem& item : items) result.push_back(item.item);
    return result;
  }
};

inline sensorium::Tensor to_tensor(const float* values, sensorium::Shape shape) {
  return sensorium::Tensor::from({values, sensorium::DType::kFloat32, std::move(shape)});
}

/// An item's encoder rows: what replaces the embeddings, then each deepstack level; columns that the reference has none for are
/// 0.
inline std::vector<float> encoder_rows(const Tensors& tensors, const std::string& name, size_t width) {
  const std::vector<int64_t> shape = tensors.shape(name);
  const auto hidden = static_cast<size_t>(shape.back()), num_rows = tensors.get<float>(name).size() / hidden;
  std::vector<float> rows(num_rows * width);
  for (size_t level = 0; level < width / hidden; ++level) {
    const std::string part = level == 0 ? name : name + ".deepstack." + std::to_string(level - 1);
    if (!tensors.has(part)) continue;
    const std::vector<float> values = tensors.get<float>(part);
    for (size_t i = 0; i < values.size(); ++i) rows[i / hidden * width + level * hidden + i % hidden] = values[i];
  }
  return rows;
}

/// Builds the items of a case from the placeholder runs of its prompt and its grids.
class ItemBuilder {
 public:
  ItemBuilder(const Case& source, const PlaceholderIds& ids) : case_(source), ids_(ids) {}

  std::vector<CaseItem> build() {
    if (PictureBuilder::knows(ids_.family)) return pictures();
    std::vector<sensorium::TokenRun> images, videos, audios;
    collect(ids_.image, images);
    collect(ids_.video, videos);
    if (ids_.sound_rule == SoundRule::kTogether) {
      collect_stated(audios);
    } else {
      collect(ids_.audio, audios);
    }
    if (case_.expected.get_bool("use_audio_in_video", false)) return interleaved(videos, audios);
    std::vector<CaseItem> items;
    for (size_t i = 0; i < images.size(); ++i) items.push_back(vision("image", i, {images[i]}));
    for (size_t i = 0, next = 0; next < videos.size(); ++i) items.push_back(vision("video", i, runs_of_video(i, videos, next)));
    for (size_t i = 0; i < audios.size(); ++i) items.push_back(audio(i, {audios[i]}));
    std::sort(items.begin(), items.end(),
              [](const CaseItem& a, const CaseItem& b) { return a.item.runs.front().offset < b.item.runs.front().offset; });
    return items;
  }

 private:
  std::vector<CaseItem> pictures() const {
    const PictureCase source{case_.folder,     case_.expected, case_.request, case_.tensors,
                             case_.prompt_ids, ids_.image,     ids_.video};
    std::vector<CaseItem> items;
    for (PictureItem& picture : PictureBuilder(ids_.family, source).build()) {
      items.push_back({{picture.embeds_name, std::move(picture.media), std::move(picture.runs), false},
                       picture.embeds_name,
                       picture.has_features});
    }
    return items;
  }

  void collect(int32_t id, std::vector<sensorium::TokenRun>& runs) const {
    const std::vector<int32_t>& prompt = case_.prompt_ids;
    for (size_t i = 0; i < prompt.size(); ++i) {
      if (prompt[i] != id) continue;
      if (i == 0 || prompt[i - 1] != id) runs.push_back({static_cast<int32_t>(i), 0});
      runs.back().count++;
    }
  }

  /// Runs that expected.json states, where placeholders are ordinary tokens.
  void collect_stated(std::vector<sensorium::TokenRun>& runs) const {
    for (const sensorium::Json& audio : case_.expected.find("audios")->as_array()) {
      runs.push_back(
          {static_cast<int32_t>(audio.get_int("token_start", -1)), static_cast<int32_t>(audio.get_int("tokens", 0))});
    }
  }

  std::vector<CaseItem> interleaved(const std::vector<sensorium::TokenRun>& videos,
                                    const std::vector<sensorium::TokenRun>& audios) const {
    std::vector<CaseItem> items;
    items.push_back(vision("video", 0, videos));
    items.back().item.is_interleaved_with_audio = true;
    items.push_back(audio(0, audios));
    return items;
  }

  CaseItem vision(const std::string& kind, size_t index, std::vector<sensorium::TokenRun> runs) const {
    const bool is_video = kind == "video";
    auto media = std::make_shared<sensorium::ProcessedMedia>();
    media->modality = is_video ? sensorium::Modality::kVideo : sensorium::Modality::kImage;
    const std::vector<int32_t> grids = case_.tensors.get<int32_t>(kind + "_grid_thw");
    int64_t first_row = 0;
    for (size_t i = 0; i < index; ++i) first_row += int64_t{grids[3 * i]} * grids[3 * i + 1] * grids[3 * i + 2];
    media->grid_t = grids[3 * index];
    media->grid_h = grids[3 * index + 1];
    media->grid_w = grids[3 * index + 2];
    if (is_video) media->seconds_per_grid = case_.tensors.get<float>("second_per_grid_ts")[index];
    CaseItem item;
    const std::string pixels = is_video ? "pixel_values_videos" : "pixel_values";
    item.has_features = !case_.tensors.has(pixels + ".rows");
    if (item.has_features) {
      const std::vector<float> values = case_.tensors.get<float>(pixels);
      const int64_t cols = case_.tensors.shape(pixels)[1], rows = int64_t{media->grid_t} * media->grid_h * media->grid_w;
      media->features = to_tensor(values.data() + first_row * cols, {rows, cols});
    } else {
      media->patches = patches_of(picture_files(is_video, index), *media, patch_options(case_.tensors.shape(pixels)[1]));
      item.has_features = !media->patches.empty();
    }
    item.item = {kind + std::to_string(index), media, std::move(runs), false};
    item.embeds_name = kind + "_embeds." + std::to_string(index);
    return item;
  }

  /// The runs from `next` on that hold the tokens of a video: one, or one a temporal patch where timestamps stand between them.
  std::vector<sensorium::TokenRun> runs_of_video(size_t index, const std::vector<sensorium::TokenRun>& all,
                                                 size_t& next) const {
    const int64_t num_tokens = case_.expected.find("videos")->as_array()[index].get_int("tokens", 0);
    std::vector<sensorium::TokenRun> runs;
    for (int64_t count = 0; count < num_tokens && next < all.size(); count += all[next++].count) runs.push_back(all[next]);
    return runs;
  }

  /// Names of the item's pictures: the k-th image of the request, or the frames of the k-th video.
  std::vector<std::string> picture_files(bool is_video, size_t index) const {
    if (is_video) {
      const sensorium::Json& video = case_.expected.find("videos")->as_array()[index];
      if (const sensorium::Json* decoded = video.find("decoded_frames_used")) return texts(*decoded);
    }
    size_t num_seen = 0;
    for (const sensorium::Json& message : case_.request.find("messages")->as_array()) {
      if (!message.find("content")->is_array()) continue;
      for (const sensorium::Json& part : message.find("content")->as_array()) {
        const sensorium::Json* source = part.find(is_video ? "video_url" : "image_url");
        if (source == nullptr || num_seen++ != index) continue;
        return is_video ? texts(*source->find("frames")) : std::vector<std::string>{source->get_string("url", "")};
      }
    }
    return {};
  }

  static std::vector<std::string> texts(const sensorium::Json& list) {
    std::vector<std::string> result;
    for (const sensorium::Json& text : list.as_array()) result.push_back(text.as_string());
    return result;
  }

  /// Those of Qwen2-VL, or of Qwen3-VL where the patches have its size.
  static sensorium::PatchOptions patch_options(int64_t patch_dim) {
    sensorium::PatchOptions options;
    if (patch_dim != 3 * 2 * 16 * 16) return options;
    options.patch_size = 16;
    for (int channel = 0; channel < 3; ++channel) options.mean[channel] = options.std[channel] = 0.5F;
    return options;
  }

  /// Patches of the pictures at the size of the grid; empty where a picture is none that read_png() reads.
  sensorium::Patches patches_of(const std::vector<std::string>& files, const sensorium::ProcessedMedia& media,
                                const sensorium::PatchOptions& options) const {
    std::vector<RgbPicture> pictures;
    for (const std::string& file : files) {
      std::optional<RgbPicture> picture = read_png(case_.folder / file.substr(file.find(':') + 1));
      if (!picture) return {};
      pictures.push_back(std::move(*picture));
    }
    std::vector<sensorium::RgbView> views;
    for (const RgbPicture& picture : pictures) views.push_back({picture.pixels.data(), picture.width, picture.height});
    const sensorium::ImageSize size{media.grid_h * options.patch_size, media.grid_w * options.patch_size};
    return sensorium::patchify(views, size, options, media.modality).patches;
  }

  /// The reference keeps [bins, frames]; encoders read time-major rows.
  CaseItem audio(size_t index, std::vector<sensorium::TokenRun> runs) const {
    const std::string name = "input_features." + std::to_string(index);
    const std::vector<int64_t> shape = case_.tensors.shape(name);
    const std::vector<float> values = case_.tensors.get<float>(name);
    auto media = std::make_shared<sensorium::ProcessedMedia>();
    media->modality = sensorium::Modality::kAudio;
    if (ids_.sound_rule == SoundRule::kStored) {
      media->features = sensorium::Tensor({shape[1], shape[0]});
      media->num_sound_frames = static_cast<int32_t>(shape[1]);
    } else {
      make_features(index, shape[0], *media);
    }
    for (int64_t bin = 0; bin < shape[0]; ++bin) {
      for (int64_t frame = 0; frame < shape[1]; ++frame) {
        media->features.data()[frame * shape[0] + bin] = values[static_cast<size_t>(bin * shape[1] + frame)];
      }
    }
    CaseItem item;
    item.has_features = true;
    item.item = {"audio" + std::to_string(index), media, std::move(runs), false};
    item.embeds_name = "audio_embeds." + std::to_string(index);
    return item;
  }

  std::vector<float> samples_of(size_t index) const {
    std::string name = "m";
    name.append(std::to_string(index + 1)).append(".wav");
    std::vector<float> samples = read_wav(case_.folder / name);
    if (ids_.sound_rule == SoundRule::kPadded) samples.resize(std::min<size_t>(samples.size(), 480000));
    if (ids_.sound_rule == SoundRule::kTogether) samples.resize((std::max<size_t>(samples.size(), 320) + 159) / 160 * 160);
    return samples;
  }

  void make_features(size_t index, int64_t num_mel_bins, sensorium::ProcessedMedia& media) const {
    const std::vector<float> samples = samples_of(index);
    const int64_t num_frames = (static_cast<int64_t>(samples.size()) + 159) / 160;
    sensorium::LogMelOptions options;
    options.num_mel_bins = static_cast<int32_t>(num_mel_bins);
    if (ids_.sound_rule == SoundRule::kPadded) {
      options.padded_samples = 480000;
      options.max_frames = num_frames + 2;
    } else {
      for (size_t i = 0; i < case_.expected.find("audios")->as_array().size(); ++i) {
        options.padded_samples = std::max(options.padded_samples, static_cast<int64_t>(samples_of(i).size()));
      }
      options.max_frames = (num_frames + 15) / 16 * 16 + 1;
    }
    media.num_sound_frames = static_cast<int32_t>(num_frames);
    media.features = sensorium::log_mel(samples, options);
  }

  const Case& case_;
  PlaceholderIds ids_;
};

inline Case load_case(const std::filesystem::path& folder, const PlaceholderIds& ids) {
  Case loaded{folder.filename().string(),
              folder,
              sensorium::Json::parse_file((folder / "expected.json").string()),
              sensorium::Json::parse_file((folder / "request.json").string()),
              Tensors(folder / "expected.safetensors"),
              {},
              {},
              {}};
  loaded.prompt_ids = loaded.tensors.get<int32_t>("input_ids");
  if (loaded.tensors.has("generated_ids")) loaded.generated_ids = loaded.tensors.get<int32_t>("generated_ids");
  loaded.items = ItemBuilder(loaded, ids).build();
  for (int32_t& id : loaded.prompt_ids) id = std::max(id, 0);  // encoder rows replace them
  return loaded;
}

inline std::vector<std::filesystem::path> case_folders(const std::string& family) {
  std::vector<std::filesystem::path> folders;
  for (const auto& entry : std::filesystem::directory_iterator(root() / family / "cases")) folders.push_back(entry.path());
  std::sort(folders.begin(), folders.end());
  return folders;
}

}  // namespace golden
