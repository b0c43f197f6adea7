#include "binding/view_functions.h"

#include <memory>
#include <utility>
#include <variant>

#include "binding/media_object.h"
#include "binding/patch_options.h"
#include "binding/promise_worker.h"
#include "core/error.h"
#include "media/anyres.h"
#include "media/hd_transform.h"
#include "media/slices.h"

namespace sensorium::binding {
namespace {

constexpr uint32_t kMaxPinpoints = 4096;
constexpr int32_t kMaxTile = 4096;
constexpr int32_t kMaxTiles = 4096;

/// One view, or that of each frame.
struct ClipRules {
  ClipViewRules view;
  std::optional<Rgb> square_background;
};

using ViewRules = std::variant<ClipRules, AnyresRules, HdRules, SliceRules>;

std::optional<Rgb> read_background(const Fields& fields) {
  if (!fields.has("squareBackground")) return std::nullopt;
  const std::string path = fields.path("squareBackground");
  const Napi::Array values = read_array(fields.get("squareBackground"), path, 3);
  if (values.Length() != 3) throw Error(ErrorCode::kInvalidArgument, path + " must have 3 elements");
  Rgb colour{};
  for (uint32_t i = 0; i < 3; ++i) colour[i] = static_cast<uint8_t>(read_integer(values.Get(i), path, 0, 255));
  return colour;
}

ClipRules read_clip(const Fields& fields) {
  ClipRules rules;
  rules.view.size = {fields.int32("height", 1, kMaxSide), fields.int32("width", 1, kMaxSide)};
  if (fields.has("shortestEdge")) rules.view.shortest_edge = fields.int32("shortestEdge", 1, kMaxSide);
  if (fields.has("cropHeight")) {
    rules.view.crop = ImageSize{fields.int32("cropHeight", 1, kMaxSide), fields.int32("cropWidth", 1, kMaxSide)};
  }
  rules.square_background = read_background(fields);
  return rules;
}

AnyresRules read_anyres(const Fields& fields, int32_t patch_size) {
  AnyresRules rules;
  rules.tile = fields.int32("tile", 1, kMaxTile);
  rules.patch_size = patch_size;
  rules.max_tiles = fields.int32("maxTiles", 1, kMaxTiles);
  const Napi::Array pinpoints = read_array(fields.get("pinpoints"), fields.path("pinpoints"), kMaxPinpoints);
  for (uint32_t i = 0; i < pinpoints.Length(); ++i) {
    const std::string path = fields.path("pinpoints") + "[" + std::to_string(i) + "]";
    const Napi::Array size = read_array(pinpoints.Get(i), path, 2);
    const auto side = [&](uint32_t k) { return static_cast<int32_t>(read_integer(size.Get(k), path, 1, kMaxSide)); };
    rules.pinpoints.push_back({side(0), side(1)});
  }
  return rules;
}

SliceRules read_slices(const Fields& fields, int32_t patch_size) {
  return {fields.int32("maxSlices", 1, kMaxTiles), fields.int32("scaleResolution", 1, kMaxTile), patch_size};
}

ViewRules read_rules(const Fields& fields, int32_t patch_size) {
  const std::string kind = fields.string("kind", 16);
  if (kind == "clip") return read_clip(fields);
  if (kind == "anyres") return read_anyres(fields, patch_size);
  if (kind == "hd") return HdRules{fields.int32("numCrops", 1, kMaxTiles), fields.int32("tile", 1, kMaxTile)};
  if (kind == "slices") return read_slices(fields, patch_size);
  throw Error(ErrorCode::kInvalidArgument, fields.path("kind") + " must be clip, anyres, hd or slices");
}

ViewPlan plan_views(ImageSize image, const ViewRules& rules) {
  if (const auto* clip = std::get_if<ClipRules>(&rules)) {
    const int32_t side = std::max(image.height, image.width);
    const ImageSize seen = clip->square_background ? ImageSize{side, side} : image;
    return {clip->square_background, {clip_view(seen, clip->view)}, std::nullopt};
  }
  if (const auto* anyres = std::get_if<AnyresRules>(&rules)) return plan_anyres(image, *anyres);
  return plan_slices(image, std::get<SliceRules>(rules));
}

class ViewsWorker : public PromiseWorker {
 public:
  ViewsWorker(Napi::Env env, HeldFrames frames, Modality modality, const Fields& rules, const Fields& options)
      : PromiseWorker(env),
        frames_(std::move(frames)),
        modality_(modality),
        options_(read_patch_options(options)),
        rules_(read_rules(rules, options_.patch_size)) {}

 private:
  void run() override { media_ = std::make_shared<const ProcessedMedia>(process()); }
  ProcessedMedia process() const {
    const std::span<const RgbView> views = frames_.views();
    if (views.empty()) throw Error(ErrorCode::kInvalidMedia, "a video without frames");
    if (const auto* hd = std::get_if<HdRules>(&rules_)) return hd_transform(views.front(), *hd, options_);
    return patchify_views(views, plan_views({views.front().height, views.front().width}, rules_), options_, modality_);
  }
  Napi::Value result(Napi::Env env) override { return MediaObject::create(env, std::move(media_)); }

  HeldFrames frames_;
  Modality modality_;
  PatchOptions options_;
  ViewRules rules_;
  std::shared_ptr<const ProcessedMedia> media_;
};

Modality read_modality(const Napi::Value& value) {
  const std::string name = read_string(value, "modality", 16);
  if (name == "image") return Modality::kImage;
  if (name == "video") return Modality::kVideo;
  throw Error(ErrorCode::kInvalidArgument, "modality must be image or video");
}

Napi::Value patchify_views_entry(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), [&]() -> Napi::Value {
    const auto width = static_cast<int32_t>(read_integer(info[1], "width", 1, kMaxSide));
    const auto height = static_cast<int32_t>(read_integer(info[2], "height", 1, kMaxSide));
    HeldFrames frames(read_frames(info[0], "frames"), width, height);
    return PromiseWorker::start(std::make_unique<ViewsWorker>(info.Env(), std::move(frames), read_modality(info[3]),
                                                              Fields(info[4], "rules"), Fields(info[5], "options")));
  });
}

Napi::Value plan_slices_entry(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), [&]() -> Napi::Value {
    const auto width = static_cast<int32_t>(read_integer(info[0], "width", 1, kMaxSide));
    const auto height = static_cast<int32_t>(read_integer(info[1], "height", 1, kMaxSide));
    const auto patch_size = static_cast<int32_t>(read_integer(info[3], "patchSize", 1, kMaxTile));
    const ViewPlan plan = plan_slices({height, width}, read_slices(Fields(info[2], "rules"), patch_size));
    const Napi::Object grid = Napi::Object::New(info.Env());
    grid.Set("rows", plan.tiles->rows);
    grid.Set("columns", plan.tiles->columns);
    return grid;
  });
}

}  // namespace

void add_view_functions(Napi::Env env, Napi::Object exports) {
  exports.Set("planSlices", Napi::Function::New<plan_slices_entry>(env, "planSlices"));
  exports.Set("patchifyViews", Napi::Function::New<patchify_views_entry>(env, "patchifyViews"));
}

}  // namespace sensorium::binding
