#include "binding/media_functions.h"

#include <algorithm>
#include <cstring>
#include <limits>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "binding/arguments.h"
#include "binding/media_object.h"
#include "binding/patch_options.h"
#include "binding/promise_worker.h"
#include "media/embeddings.h"
#include "media/log_mel.h"
#include "media/patchify.h"
#include "media/resample.h"
#include "media/resize.h"

namespace sensorium::binding {
namespace {

/// Keeps a resized picture within 3 GiB.
constexpr int32_t kMaxResizedSide = 32767;
/// Mel frames of a window: two days of sound.
constexpr int64_t kMaxWindowFrames = int64_t{1} << 24;
constexpr int64_t kMaxPixelLimit = int64_t{1} << 40;

class PatchifyWorker : public PromiseWorker {
 public:
  PatchifyWorker(Napi::Env env, HeldFrames frames, const Napi::Value& options, Modality modality, float seconds_per_grid)
      : PromiseWorker(env), frames_(std::move(frames)), modality_(modality), seconds_per_grid_(seconds_per_grid) {
    const Fields fields(options, "options");
    options_ = read_patch_options(fields);
    size_ = {fields.int32("height", 1, kMaxSide), fields.int32("width", 1, kMaxSide)};
  }

 private:
  void run() override {
    ProcessedMedia media = patchify(frames_.views(), size_, options_, modality_);
    media.seconds_per_grid = seconds_per_grid_;
    media_ = std::make_shared<const ProcessedMedia>(std::move(media));
  }
  Napi::Value result(Napi::Env env) override { return MediaObject::create(env, std::move(media_)); }

  HeldFrames frames_;
  ImageSize size_;
  PatchOptions options_;
  Modality modality_;
  float seconds_per_grid_;
  std::shared_ptr<const ProcessedMedia> media_;
};

class ResizeWorker : public PromiseWorker {
 public:
  ResizeWorker(Napi::Env env, const Napi::Value& pixels, RgbView view, const Fields& fields)
      : PromiseWorker(env), pixels_(pixels, "pixels"), view_(view), filter_(read_filter(fields)) {
    const size_t num_bytes = static_cast<size_t>(view.width) * view.height * 3;
    if (pixels_.values().size() != num_bytes) {
      throw Error(ErrorCode::kInvalidArgument, "pixels of " + std::to_string(view.width) + " x " + std::to_string(view.height) +
                                                   " need " + std::to_string(num_bytes) + " bytes");
    }
    view_.data = pixels_.values().data();
    size_ = {fields.int32("height", 1, kMaxResizedSide), fields.int32("width", 1, kMaxResizedSide)};
  }

 private:
  void run() override {
    resized_.resize(static_cast<size_t>(size_.width) * size_.height * 3);
    resize_rgb(view_, size_.width, size_.height, filter_, resized_.data());
  }
  Napi::Value result(Napi::Env env) override {
    Napi::Uint8Array out = Napi::Uint8Array::New(env, resized_.size());
    std::memcpy(out.Data(), resized_.data(), resized_.size());
    return out;
  }

  HeldArray<uint8_t> pixels_;
  RgbView view_;
  ResizeFilter filter_;
  ImageSize size_;
  std::vector<uint8_t> resized_;
};

class LogMelWorker : public PromiseWorker {
 public:
  LogMelWorker(Napi::Env env, const Napi::Value& samples, const Fields& fields)
      : PromiseWorker(env), samples_(samples, "samples") {
    options_.num_mel_bins = fields.int32("numMelBins", 1, 1024);
    options_.is_padded_with_silence = fields.boolean("isPaddedWithSilence");
    options_.padded_samples = fields.optional_integer("paddedSamples", 1, int64_t{1} << 28).value_or(0);
    options_.max_frames = fields.optional_integer("maxFrames", 1, int64_t{1} << 28).value_or(0);
  }

 private:
  void run() override {
    ProcessedMedia media;
    media.modality = Modality::kAudio;
    media.features = log_mel(samples_.values(), options_);
    const auto num_samples = static_cast<int64_t>(samples_.values().size());
    const int64_t num_frames = (num_samples + options_.hop_length - 1) / options_.hop_length;
    media.num_sound_frames = static_cast<int32_t>(std::min(num_frames, media.features.shape()[0]));
    media_ = std::make_shared<const ProcessedMedia>(std::move(media));
  }
  Napi::Value result(Napi::Env env) override { return MediaObject::create(env, std::move(media_)); }

  HeldArray<float> samples_;
  LogMelOptions options_;
  std::shared_ptr<const ProcessedMedia> media_;
};

class ResampleWorker : public PromiseWorker {
 public:
  explicit ResampleWorker(const Napi::CallbackInfo& info)
      : PromiseWorker(info.Env()),
        samples_(info[0], "samples"),
        num_channels_(static_cast<int32_t>(read_integer(info[1], "numChannels", 1, 64))),
        from_rate_(static_cast<int32_t>(read_integer(info[2], "fromRate", 1, INT32_MAX))),
        to_rate_(static_cast<int32_t>(read_integer(info[3], "toRate", 1, INT32_MAX))) {}

 private:
  void run() override {
    if (num_channels_ == 1) {
      resampled_ = resample(samples_.values(), from_rate_, to_rate_);
    } else {
      resampled_ = resample(mix_to_mono(samples_.values(), num_channels_), from_rate_, to_rate_);
    }
  }
  Napi::Value result(Napi::Env env) override {
    Napi::Float32Array out = Napi::Float32Array::New(env, resampled_.size());
    if (!resampled_.empty()) std::memcpy(out.Data(), resampled_.data(), resampled_.size() * sizeof(float));
    return out;
  }

  HeldArray<float> samples_;
  int32_t num_channels_, from_rate_, to_rate_;
  std::vector<float> resampled_;
};

Modality read_modality(const Napi::Value& value) {
  const std::string name = read_string(value, "modality", 16);
  if (name == "image") return Modality::kImage;
  if (name == "video") return Modality::kVideo;
  if (name == "audio") return Modality::kAudio;
  throw Error(ErrorCode::kInvalidArgument, "modality must be image, video or audio");
}

PatchGrid read_grid(const Napi::Value& value) {
  const Napi::Array sizes = read_array(value, "grid", 3);
  if (sizes.Length() != 3) throw Error(ErrorCode::kInvalidArgument, "grid must have 3 elements");
  const auto size = [&](uint32_t i) { return static_cast<int32_t>(read_integer(sizes.Get(i), "grid", 0, INT32_MAX)); };
  return {size(0), size(1), size(2)};
}

class EmbeddingsWorker : public PromiseWorker {
 public:
  explicit EmbeddingsWorker(const Napi::CallbackInfo& info)
      : PromiseWorker(info.Env()),
        modality_(read_modality(info[0])),
        rows_(info[1], "rows"),
        num_rows_(read_integer(info[2], "numRows", 1, INT32_MAX)),
        grid_(read_grid(info[3])),
        seconds_per_grid_(static_cast<float>(read_number(info[4], "secondsPerGrid", 0.0, 1e6))) {}

 private:
  void run() override {
    media_ =
        std::make_shared<const ProcessedMedia>(take_embeddings(modality_, rows_.values(), num_rows_, grid_, seconds_per_grid_));
  }
  Napi::Value result(Napi::Env env) override { return MediaObject::create(env, std::move(media_)); }

  Modality modality_;
  HeldArray<float> rows_;
  int64_t num_rows_;
  PatchGrid grid_;
  float seconds_per_grid_;
  std::shared_ptr<const ProcessedMedia> media_;
};

/// Detaches the whole buffer behind a typed array, which frees it; one that is shared with other arrays stays.
void release_entry(const Napi::CallbackInfo& info) {
  if (!info[0].IsTypedArray()) return;
  const auto array = info[0].As<Napi::TypedArray>();
  Napi::ArrayBuffer buffer = array.ArrayBuffer();
  if (array.ByteLength() == buffer.ByteLength() && !buffer.IsDetached()) buffer.Detach();
}

Napi::Value smart_resize_entry(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), [&]() -> Napi::Value {
    const auto side = [&](size_t i, const char* name) {
      return static_cast<int32_t>(read_integer(info[i], name, INT32_MIN, INT32_MAX));
    };
    const int32_t height = side(0, "height"), width = side(1, "width"), factor = side(2, "factor");
    const int64_t min_pixels = read_integer(info[3], "minPixels", 1, kMaxPixelLimit);
    const int64_t max_pixels = read_integer(info[4], "maxPixels", 1, kMaxPixelLimit);
    const ImageSize size = smart_resize(height, width, factor, min_pixels, max_pixels);
    const Napi::Object result = Napi::Object::New(info.Env());
    result.Set("height", size.height);
    result.Set("width", size.width);
    return result;
  });
}

int32_t read_side(const Napi::Value& value, const char* name) {
  return static_cast<int32_t>(read_integer(value, name, 1, kMaxSide));
}

Napi::Value patchify_image_entry(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), [&]() -> Napi::Value {
    std::vector<HeldArray<uint8_t>> frames;
    frames.emplace_back(info[0], "pixels");
    HeldFrames held(std::move(frames), read_side(info[1], "width"), read_side(info[2], "height"));
    return PromiseWorker::start(std::make_unique<PatchifyWorker>(info.Env(), std::move(held), info[3], Modality::kImage, 0.0F));
  });
}

Napi::Value resize_rgb_entry(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), [&]() -> Napi::Value {
    const RgbView view{nullptr, read_side(info[1], "width"), read_side(info[2], "height")};
    return PromiseWorker::start(std::make_unique<ResizeWorker>(info.Env(), info[0], view, Fields(info[3], "options")));
  });
}

Napi::Value patchify_video_entry(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), [&]() -> Napi::Value {
    HeldFrames frames(read_frames(info[0], "frames"), read_side(info[1], "width"), read_side(info[2], "height"));
    const auto seconds_per_grid = static_cast<float>(read_number(info[3], "secondsPerGrid", 0.0, 1e6));
    return PromiseWorker::start(
        std::make_unique<PatchifyWorker>(info.Env(), std::move(frames), info[4], Modality::kVideo, seconds_per_grid));
  });
}

Napi::Value log_mel_entry(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), [&]() -> Napi::Value {
    return PromiseWorker::start(std::make_unique<LogMelWorker>(info.Env(), info[0], Fields(info[1], "options")));
  });
}

/// Frames of a sound's features, and zeros behind them.
Napi::Value sound_window_entry(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), [&]() -> Napi::Value {
    const std::shared_ptr<const ProcessedMedia> sound = MediaObject::from(info[0], "media");
    const Shape& shape = sound->features.shape();
    if (sound->modality != Modality::kAudio || shape.size() != 2) {
      throw Error(ErrorCode::kInvalidArgument, "media must be the features of a sound");
    }
    const int64_t begin = read_integer(info[1], "begin", 0, shape[0] - 1);
    const int64_t num_frames = std::min(read_integer(info[2], "numFrames", 1, INT32_MAX), shape[0] - begin);
    const int64_t padded_frames = read_integer(info[3], "paddedFrames", num_frames, kMaxWindowFrames);
    ProcessedMedia window;
    window.modality = Modality::kAudio;
    window.features = Tensor({padded_frames, shape[1]});
    float* to = window.features.data();
    std::copy_n(sound->features.data() + begin * shape[1], num_frames * shape[1], to);
    std::fill(to + num_frames * shape[1], to + padded_frames * shape[1], 0.0F);
    const int64_t num_sound_frames = std::clamp<int64_t>(sound->num_sound_frames - begin, 1, num_frames);
    window.num_sound_frames = static_cast<int32_t>(num_sound_frames);
    return MediaObject::create(info.Env(), std::make_shared<const ProcessedMedia>(std::move(window)));
  });
}

Napi::Value embeddings_entry(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), [&]() -> Napi::Value { return PromiseWorker::start(std::make_unique<EmbeddingsWorker>(info)); });
}

Napi::Value resample_entry(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), [&]() -> Napi::Value { return PromiseWorker::start(std::make_unique<ResampleWorker>(info)); });
}

}  // namespace

void add_media_functions(Napi::Env env, Napi::Object exports) {
  exports.Set("release", Napi::Function::New<release_entry>(env, "release"));
  exports.Set("smartResize", Napi::Function::New<smart_resize_entry>(env, "smartResize"));
  exports.Set("patchifyImage", Napi::Function::New<patchify_image_entry>(env, "patchifyImage"));
  exports.Set("patchifyVideo", Napi::Function::New<patchify_video_entry>(env, "patchifyVideo"));
  exports.Set("resizeRgb", Napi::Function::New<resize_rgb_entry>(env, "resizeRgb"));
  exports.Set("logMel", Napi::Function::New<log_mel_entry>(env, "logMel"));
  exports.Set("soundWindow", Napi::Function::New<sound_window_entry>(env, "soundWindow"));
  exports.Set("embeddings", Napi::Function::New<embeddings_entry>(env, "embeddings"));
  exports.Set("resample", Napi::Function::New<resample_entry>(env, "resample"));
}

}  // namespace sensorium::binding
