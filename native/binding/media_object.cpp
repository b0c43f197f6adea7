#include "binding/media_object.h"

#include <cstring>
#include <utility>

#include "binding/addon_data.h"
#include "binding/failure.h"

namespace sensorium::binding {
namespace {

constexpr napi_type_tag kMediaTag{0x5e4501d0a11ce5e1ULL, 0x9d3b7c2f4e6a8081ULL};

const char* modality_name(Modality modality) {
  switch (modality) {
    case Modality::kImage:
      return "image";
    case Modality::kVideo:
      return "video";
    case Modality::kAudio:
      break;
  }
  return "audio";
}

/// [rows, columns] of what the media holds; empty for none.
Shape shape_of(const ProcessedMedia& media) {
  return media.embeddings.empty() ? media.input_shape() : media.embeddings.shape();
}

}  // namespace

Napi::Function MediaObject::define(Napi::Env env) {
  return DefineClass(env, "NativeMedia",
                     {InstanceAccessor<&MediaObject::modality>("modality"),
                      InstanceAccessor<&MediaObject::size_bytes>("sizeBytes"), InstanceAccessor<&MediaObject::grid>("grid"),
                      InstanceAccessor<&MediaObject::num_rows>("numRows"), InstanceAccessor<&MediaObject::tiles>("tiles"),
                      InstanceMethod<&MediaObject::features>("features"), InstanceMethod<&MediaObject::dispose>("dispose")});
}

Napi::Object MediaObject::create(Napi::Env env, std::shared_ptr<const ProcessedMedia> media) {
  AddonData& data = AddonData::of(env);
  data.next_media = std::move(media);
  const Napi::Object object = data.media_class.New({});
  object.TypeTag(&kMediaTag);
  return object;
}

std::shared_ptr<const ProcessedMedia> MediaObject::from(const Napi::Value& value, const std::string& path) {
  if (!value.IsObject() || !value.As<Napi::Object>().CheckTypeTag(&kMediaTag)) {
    throw Error(ErrorCode::kInvalidArgument, path + " must be media that this addon made");
  }
  std::shared_ptr<const ProcessedMedia> media = Unwrap(value.As<Napi::Object>())->media_;
  if (!media) throw Error(ErrorCode::kInvalidArgument, path + " was disposed of");
  return media;
}

MediaObject::MediaObject(const Napi::CallbackInfo& info) : ObjectWrap(info) {
  media_ = std::exchange(AddonData::of(info.Env()).next_media, nullptr);
  if (!media_) throw to_js_error(info.Env(), {ErrorCode::kInvalidArgument, "NativeMedia is made by the addon only"});
}

void MediaObject::dispose(const Napi::CallbackInfo& /*info*/) { media_.reset(); }

const ProcessedMedia& MediaObject::media() const {
  if (!media_) throw Error(ErrorCode::kInvalidArgument, "the media was disposed of");
  return *media_;
}

Napi::Value MediaObject::modality(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), [&]() -> Napi::Value { return Napi::String::New(info.Env(), modality_name(media().modality)); });
}

Napi::Value MediaObject::size_bytes(const Napi::CallbackInfo& info) {
  return guarded(info.Env(),
                 [&]() -> Napi::Value { return Napi::Number::New(info.Env(), static_cast<double>(media().size_bytes())); });
}

Napi::Value MediaObject::grid(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), [&]() -> Napi::Value {
    const Napi::Array grid = Napi::Array::New(info.Env(), 3);
    const int32_t sizes[3] = {media().grid_t, media().grid_h, media().grid_w};
    for (uint32_t i = 0; i < 3; ++i) grid.Set(i, sizes[i]);
    return grid;
  });
}

Napi::Value MediaObject::num_rows(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), [&]() -> Napi::Value {
    const Shape shape = shape_of(media());
    return Napi::Number::New(info.Env(), shape.empty() ? 0.0 : static_cast<double>(shape[0]));
  });
}

Napi::Value MediaObject::tiles(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), [&]() -> Napi::Value {
    const std::optional<TileLayout>& layout = media().tiles;
    if (!layout) return info.Env().Null();
    const Napi::Object tiles = Napi::Object::New(info.Env());
    tiles.Set("rows", layout->rows);
    tiles.Set("columns", layout->columns);
    tiles.Set("packedHeight", layout->packed_h);
    tiles.Set("packedWidth", layout->packed_w);
    return tiles;
  });
}

Napi::Value MediaObject::features(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), [&]() -> Napi::Value {
    const ProcessedMedia& held = media();
    const Shape shape = shape_of(held);
    const size_t count = shape.empty() ? 0 : static_cast<size_t>(num_elements(shape));
    Napi::Float32Array copy = Napi::Float32Array::New(info.Env(), count);
    if (!held.patches.empty()) {
      held.expand_rows(0, Matrix(copy.Data(), shape[0], shape[1]));
    } else if (count > 0) {
      const Tensor& rows = held.embeddings.empty() ? held.features : held.embeddings;
      std::memcpy(copy.Data(), rows.data(), count * sizeof(float));
    }
    return copy;
  });
}

}  // namespace sensorium::binding
