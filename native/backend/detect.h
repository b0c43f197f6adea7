#pragma once

#include <string>
#include <vector>

namespace sensorium {

/// What the CPU offers and the operating system saves on a task switch.
struct CpuFeatures {
  std::string vendor;
  std::string brand;
  bool has_avx2 = false;    ///< AVX2, FMA and F16C
  bool has_avx512 = false;  ///< AVX-512 F, BW, DQ, VL
  bool has_avx512_bf16 = false;
  bool has_avx512_vnni = false;
  bool has_amx_bf16 = false;  ///< AMX tiles and BF16, permitted by the operating system
  bool has_amx_int8 = false;
};

/// Asked once; on Linux this also asks for the permission to use AMX tiles.
const CpuFeatures& cpu_features();

/// Names of the features, as in cpu_info().
std::vector<std::string> feature_names(const CpuFeatures& features);

}  // namespace sensorium
