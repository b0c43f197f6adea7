#include "binding/patch_options.h"

#include "core/error.h"

namespace sensorium::binding {
namespace {

void read_channels(const Fields& fields, const char* key, float out[3]) {
  const Napi::Array values = read_array(fields.get(key), fields.path(key), 3);
  if (values.Length() != 3) throw Error(ErrorCode::kInvalidArgument, fields.path(key) + " must have 3 elements");
  for (uint32_t i = 0; i < 3; ++i) out[i] = static_cast<float>(read_number(values.Get(i), fields.path(key), -1e6, 1e6));
}

}  // namespace

ResizeFilter read_filter(const Fields& fields) {
  const std::string name = fields.string("filter", 16);
  if (name == "bilinear") return ResizeFilter::kBilinear;
  if (name == "bicubic") return ResizeFilter::kBicubic;
  if (name == "lanczos") return ResizeFilter::kLanczos;
  throw Error(ErrorCode::kInvalidArgument, fields.path("filter") + " must be bilinear, bicubic or lanczos");
}

PatchOptions read_patch_options(const Fields& fields) {
  PatchOptions options;
  options.patch_size = fields.int32("patchSize", 1, 1024);
  options.temporal_patch_size = fields.int32("temporalPatchSize", 1, 1024);
  options.merge_size = fields.int32("mergeSize", 1, 1024);
  read_channels(fields, "mean", options.mean);
  read_channels(fields, "std", options.std);
  options.filter = read_filter(fields);
  options.do_resize = fields.boolean("doResize");
  options.do_rescale = fields.boolean("doRescale");
  options.do_normalize = fields.boolean("doNormalize");
  options.rescale_factor = fields.number("rescaleFactor", -1e6, 1e6);
  return options;
}

HeldFrames::HeldFrames(std::vector<HeldArray<uint8_t>> frames, int32_t width, int32_t height) : frames_(std::move(frames)) {
  const size_t num_bytes = static_cast<size_t>(width) * height * 3;
  for (const HeldArray<uint8_t>& frame : frames_) {
    if (frame.values().size() != num_bytes) {
      throw Error(ErrorCode::kInvalidArgument, "pixels of " + std::to_string(width) + " x " + std::to_string(height) +
                                                   " need " + std::to_string(num_bytes) + " bytes, not " +
                                                   std::to_string(frame.values().size()));
    }
    views_.push_back({frame.values().data(), width, height});
  }
}

std::vector<HeldArray<uint8_t>> read_frames(const Napi::Value& value, const std::string& path) {
  const Napi::Array array = read_array(value, path, kMaxFrames);
  std::vector<HeldArray<uint8_t>> frames;
  for (uint32_t i = 0; i < array.Length(); ++i) frames.emplace_back(array.Get(i), path + "[" + std::to_string(i) + "]");
  return frames;
}

}  // namespace sensorium::binding
