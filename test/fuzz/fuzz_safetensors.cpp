#include <cstdint>
#include <cstdlib>
#include <span>
#include <string_view>

#include "core/error.h"
#include "core/json.h"
#include "weights/safetensors.h"

// Any bytes either parse or throw sensorium::Error; what parses keeps its promises.

namespace {

void require(bool condition) {
  if (!condition) std::abort();
}

void fuzz_json(std::string_view text) {
  try {
    (void)sensorium::Json::parse(text);
  } catch (const sensorium::Error& error) {
    require(error.code() == sensorium::ErrorCode::kInvalidArgument);
  }
}

void fuzz_safetensors(std::span<const std::byte> file) {
  try {
    const sensorium::SafetensorsHeader header = sensorium::parse_safetensors(file);
    require(header.data_offset <= file.size());
    const size_t data_bytes = file.size() - header.data_offset;
    size_t total_bytes = 0;
    for (const auto& [name, entry] : header.tensors) {
      require(entry.begin <= entry.end && entry.end <= data_bytes);
      const auto count = static_cast<size_t>(sensorium::num_elements(entry.shape));
      require(count * sensorium::dtype_size(entry.dtype) == entry.end - entry.begin);
      total_bytes += entry.end - entry.begin;
    }
    require(total_bytes == data_bytes);
  } catch (const sensorium::Error& error) {
    require(error.code() == sensorium::ErrorCode::kInvalidCheckpoint ||
            error.code() == sensorium::ErrorCode::kUnsupportedArchitecture);
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  fuzz_json({reinterpret_cast<const char*>(data), size});
  fuzz_safetensors(std::as_bytes(std::span(data, size)));
  return 0;
}
