#pragma once

#include "binding/arguments.h"
#include "media/patchify.h"

namespace sensorium::binding {

inline constexpr int32_t kMaxSide = 65535;
inline constexpr uint32_t kMaxFrames = 65536;

/// The field `filter`.
ResizeFilter read_filter(const Fields& fields);
/// NativePatchOptions of addon.ts, without the size.
PatchOptions read_patch_options(const Fields& fields);

/// Pixels of pictures of one size, held while a worker reads them.
class HeldFrames {
 public:
  /// `frames`: each interleaved RGB. Throws kInvalidArgument where one has not width * height * 3 bytes.
  HeldFrames(std::vector<HeldArray<uint8_t>> frames, int32_t width, int32_t height);
  std::span<const RgbView> views() const { return views_; }

 private:
  std::vector<HeldArray<uint8_t>> frames_;
  std::vector<RgbView> views_;
};

/// An array of pixel buffers.
std::vector<HeldArray<uint8_t>> read_frames(const Napi::Value& value, const std::string& path);

}  // namespace sensorium::binding
