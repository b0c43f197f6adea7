#pragma once

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "backend/select.h"
#include "check.h"

/// Helpers of the backend tests: every table and making of it that this machine can run, and random matrices.
namespace sensorium::testing {

struct TableCase {
  std::string isa;
  bool emulate_tiles = false;
  DType dtype = DType::kFloat32;
  std::optional<bool> use_dots = std::nullopt;
};

inline std::string describe(const Backend& backend) {
  const char* const tiles[] = {"no tiles", "tile instructions", "emulated tiles"};
  const char* const products[] = {"multiply-add", "bfloat16 dot", "tile products"};
  return std::string(backend.name()) + ", " + std::string(dtype_name(backend.compute_dtype())) + ", " +
         tiles[static_cast<int>(backend.tile_unit())] + ", " + products[static_cast<int>(backend.product_unit())];
}

inline std::unique_ptr<Backend> create(const TableCase& table, int num_threads = 2) {
  BackendOptions options;
  options.compute_dtype = table.dtype;
  options.num_threads = num_threads;
  options.isa = table.isa;
  options.emulate_tiles = table.emulate_tiles;
  options.use_dots = table.use_dots;
  return create_cpu_backend(options);
}

inline bool has_dots() {
  const std::vector<std::string> features = cpu_info().features;
  return std::find(features.begin(), features.end(), "avx512_bf16") != features.end();
}

/// Calls test(backend) for each table and dtype, and prints what ran.
template <typename Test>
void for_each_backend(Test test, int num_threads = 2) {
  for (const DType dtype : {DType::kFloat32, DType::kBFloat16}) {
    std::vector<TableCase> tables;
    for (const std::string& isa : available_isas()) {
      tables.push_back({isa, false, dtype});
      if (isa == "avx512" && dtype == DType::kBFloat16) {
        tables.back().use_dots = false;
        if (has_dots()) tables.push_back({isa, false, dtype, true});
      }
    }
    tables.push_back({"amx", true, dtype});
    for (const TableCase& table : tables) {
      const std::unique_ptr<Backend> backend = create(table, num_threads);
      std::printf("     on %s\n", describe(*backend).c_str());
      test(*backend);
    }
  }
}

/// Random numbers, the same in every run.
class Random {
 public:
  explicit Random(uint32_t seed) : engine_(seed) {}
  std::vector<float> normal(int64_t count, float scale = 1.0F) {
    std::normal_distribution<float> distribution(0.0F, scale);
    std::vector<float> values(static_cast<size_t>(count));
    for (float& value : values) value = distribution(engine_);
    return values;
  }
  int32_t below(int32_t limit) { return std::uniform_int_distribution<int32_t>(0, limit - 1)(engine_); }
  std::mt19937& engine() { return engine_; }

 private:
  std::mt19937 engine_;
};

inline TensorView view(const std::vector<float>& values, Shape shape) {
  return {values.data(), DType::kFloat32, std::move(shape)};
}

inline float round_to(DType dtype, float value) { return dtype == DType::kBFloat16 ? to_float(to_bfloat16(value)) : value; }

}  // namespace sensorium::testing
