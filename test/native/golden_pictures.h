#pragma once

#include <algorithm>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "core/media_input.h"
#include "golden_tensors.h"
#include "media/anyres.h"
#include "media/hd_transform.h"
#include "media/slices.h"
#include "png_reader.h"

/// Items of the families whose pictures are cut into tiles: LLaVA, LLaVA-OneVision, Phi-3.5-vision, MiniCPM-V.
namespace golden {

/// What is known of a case before its items are.
struct PictureCase {
  std::filesystem::path folder;
  const sensorium::Json& expected;
  const sensorium::Json& request;
  const Tensors& tensors;
  std::vector<int32_t> prompt_ids;  ///< as the reference has them: Phi-3.5 counts pictures with negative ids
  int32_t image_id = -1, video_id = -1;
};

struct PictureItem {
  std::shared_ptr<const sensorium::ProcessedMedia> media;
  std::vector<sensorium::TokenRun> runs;
  std::string embeds_name;
  bool has_features = true;
};

class PictureBuilder {
 public:
  static bool knows(const std::string& family) {
    return family == "llava" || family == "llava_onevision" || family == "phi3_v" || family == "minicpmv";
  }

  PictureBuilder(std::string family, const PictureCase& source)
      : family_(std::move(family)),
        source_(source),
        config_(sensorium::Json::parse_file((source.folder / "../../model/config.json").string())),
        processor_(sensorium::Json::parse_file((source.folder / "../../model/preprocessor_config.json").string())) {}

  std::vector<PictureItem> build() const {
    std::vector<PictureItem> items;
    const auto add = [&](const char* key, const std::string& kind) {
      const sensorium::Json* list = source_.expected.find(key);
      const size_t count = list == nullptr ? 0 : list->as_array().size();
      for (size_t i = 0; i < count; ++i) {
        PictureItem item;
        item.embeds_name = kind + "_embeds." + std::to_string(i);
        sensorium::ProcessedMedia media = kind == "video" ? stored(i, "pixel_values_videos", std::nullopt) : picture(i);
        if (kind == "video") media.modality = sensorium::Modality::kVideo;
        item.has_features = !media.input_shape().empty();
        item.runs = runs_of(i, kind == "video" ? source_.video_id : source_.image_id, *list);
        item.media = std::make_shared<const sensorium::ProcessedMedia>(std::move(media));
        items.push_back(std::move(item));
      }
    };
    add("images", "image");
    add("videos", "video");
    return items;
  }

 private:
  static constexpr int64_t kPatch = 14;

  sensorium::ProcessedMedia picture(size_t index) const {
    if (family_ == "llava") return stored(index, "pixel_values", std::nullopt);
    if (family_ == "llava_onevision") return stored(index, "pixel_values", layout_of(index));
    const std::optional<RgbPicture> png = read_png(source_.folder / picture_file(index));
    if (!png) return {};
    const sensorium::RgbView view{png->pixels.data(), png->width, png->height};
    if (family_ == "phi3_v") {
      return sensorium::hd_transform(view, {static_cast<int32_t>(processor_.get_int("num_crops", 4)), 336}, {});
    }
    sensorium::PatchOptions options;
    for (int c = 0; c < 3; ++c) options.mean[c] = options.std[c] = 0.5F;
    sensorium::SliceRules rules;
    rules.scale_resolution = static_cast<int32_t>(processor_.get_int("scale_resolution", 448));
    const sensorium::Json* kwargs = source_.request.find("mm_processor_kwargs");
    if (kwargs != nullptr) rules.max_slices = static_cast<int32_t>(kwargs->get_int("max_slice_nums", rules.max_slices));
    return sensorium::patchify_views({&view, 1}, sensorium::plan_slices({view.height, view.width}, rules), options,
                                     sensorium::Modality::kImage);
  }

  std::string picture_file(size_t index) const {
    size_t num_seen = 0;
    const sensorium::Json* messages = source_.request.find("messages");
    if (messages == nullptr) messages = source_.request.find("input");  // of embeddings
    for (const sensorium::Json& message : messages->as_array()) {
      if (!message.find("content")->is_array()) continue;
      for (const sensorium::Json& part : message.find("content")->as_array()) {
        const sensorium::Json* image = part.find("image_url");
        if (image == nullptr || num_seen++ != index) continue;
        const std::string url = image->get_string("url", "");
        return url.substr(url.find(':') + 1);
      }
    }
    return {};
  }

  std::optional<sensorium::TileLayout> layout_of(size_t index) const {
    if (!source_.expected.find("images")->as_array()[index].get_bool("anyres", false)) return std::nullopt;
    sensorium::AnyresRules rules;
    rules.tile = static_cast<int32_t>(config_.find("vision_config")->get_int("image_size", 384));
    for (const sensorium::Json& size : config_.find("image_grid_pinpoints")->as_array()) {
      rules.pinpoints.push_back(
          {static_cast<int32_t>(size.as_array()[0].as_int()), static_cast<int32_t>(size.as_array()[1].as_int())});
    }
    const std::vector<int32_t> sizes = source_.tensors.get<int32_t>("image_sizes");
    return sensorium::plan_anyres({sizes[2 * index], sizes[2 * index + 1]}, rules).tiles;
  }

  /// Pictures [..., 3, side, side] of item `index` as rows of patches, with `layout` as many as it has tiles.
  sensorium::ProcessedMedia stored(size_t index, const std::string& name,
                                   const std::optional<sensorium::TileLayout>& layout) const {
    const std::vector<int64_t> shape = source_.tensors.shape(name);
    const std::vector<float> values = source_.tensors.get<float>(name);
    const int64_t side = shape.back(), cells = side / kPatch, picture_size = 3 * side * side;
    const int64_t stored_pictures = shape.size() == 5 ? shape[1] : 1;
    sensorium::ProcessedMedia media;
    media.tiles = layout;
    media.grid_t = static_cast<int32_t>(layout ? 1 + layout->num_tiles() : name == "pixel_values" ? 1 : stored_pictures);
    media.grid_h = media.grid_w = static_cast<int32_t>(cells);
    media.features = sensorium::Tensor({media.grid_t * cells * cells, 3 * kPatch * kPatch});
    float* out = media.features.data();
    for (int64_t p = 0; p < media.grid_t * cells * cells; ++p) {
      const int64_t picture = static_cast<int64_t>(index) * stored_pictures + p / (cells * cells), cell = p % (cells * cells);
      for (int64_t c = 0; c < 3; ++c) {
        for (int64_t i = 0; i < kPatch * kPatch; ++i) {
          const int64_t y = cell / cells * kPatch + i / kPatch, x = cell % cells * kPatch + i % kPatch;
          *out++ = values[static_cast<size_t>(picture * picture_size + (c * side + y) * side + x)];
        }
      }
    }
    return media;
  }

  /// Items share their placeholder's id and may stand side by side: the k-th one has the placeholders behind those before it.
  std::vector<sensorium::TokenRun> runs_of(size_t index, int32_t id, const sensorium::Json& list) const {
    if (family_ == "minicpmv") return bounds_of(index, list);
    if (family_ == "phi3_v") return {run_from(0, -static_cast<int32_t>(index) - 1, list.as_array()[index])};
    size_t begin = 0;
    sensorium::TokenRun run;
    for (size_t i = 0; i <= index; ++i) {
      run = run_from(begin, id, list.as_array()[i]);
      begin = static_cast<size_t>(run.offset) + static_cast<size_t>(run.count);
    }
    return {run};
  }

  sensorium::TokenRun run_from(size_t begin, int32_t id, const sensorium::Json& item) const {
    const auto first = std::find(source_.prompt_ids.begin() + static_cast<std::ptrdiff_t>(begin), source_.prompt_ids.end(), id);
    return {static_cast<int32_t>(first - source_.prompt_ids.begin()), static_cast<int32_t>(item.get_int("tokens", 0))};
  }

  std::vector<sensorium::TokenRun> bounds_of(size_t index, const sensorium::Json& list) const {
    const std::vector<int32_t> bounds = source_.tensors.get<int32_t>("image_bounds");
    size_t first = 0;
    for (size_t i = 0; i < index; ++i) first += static_cast<size_t>(list.as_array()[i].get_int("slices", 0));
    std::vector<sensorium::TokenRun> runs;
    for (size_t i = first; i < first + static_cast<size_t>(list.as_array()[index].get_int("slices", 0)); ++i) {
      runs.push_back({bounds[2 * i], bounds[2 * i + 1] - bounds[2 * i]});
    }
    return runs;
  }

  std::string family_;
  PictureCase source_;
  sensorium::Json config_, processor_;
};

}  // namespace golden
