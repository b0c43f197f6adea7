#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "backend/backend.h"

namespace sensorium {

struct BackendOptions {
  DType compute_dtype = DType::kBFloat16;  ///< kFloat32 or kBFloat16
  int num_threads = 0;                     ///< 0: physical cores
  /// Forces a table; absent: SENSORIUM_CPU_ISA where set, else the best the CPU and the operating system allow.
  /// "amx" is allowed where the instructions are missing too only with emulate_tiles (tests).
  std::optional<std::string> isa;
  bool emulate_tiles = false;
  /// bfloat16 products of "avx512" by BF16 dot instructions or by multiply-add; absent: what is measured to be faster.
  std::optional<bool> use_dots = std::nullopt;
};

/// Throws kUnavailable when a forced table is unknown or cannot run here, or when dots are forced that the CPU lacks.
std::unique_ptr<Backend> create_cpu_backend(const BackendOptions& options);

/// Tables that this CPU and operating system can run, worst first: always "generic".
std::vector<std::string> available_isas();

struct CpuInfo {
  std::string vendor;
  std::string brand;
  std::vector<std::string> features;  ///< those that matter here: avx2, fma, avx512f, avx512_bf16, amx_tile, amx_bf16, ...
  int num_physical_cores = 1;         ///< usable by this process
};
CpuInfo cpu_info();

}  // namespace sensorium
