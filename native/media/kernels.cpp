#include "media/kernels.h"

namespace sensorium {

const std::vector<const MediaKernels*>& available_media_kernels() {
  static const std::vector<const MediaKernels*> tables = [] {
    std::vector<const MediaKernels*> found{&generic_media_kernels()};
#if defined(__x86_64__)
    __builtin_cpu_init();
    const bool has_avx2 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") && __builtin_cpu_supports("f16c");
    if (has_avx2) found.push_back(&avx2_media_kernels());
    const bool has_avx512 = has_avx2 && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
                            __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl");
    if (has_avx512) found.push_back(&avx512_media_kernels());
#endif
    return found;
  }();
  return tables;
}

const MediaKernels& media_kernels() { return *available_media_kernels().back(); }

}  // namespace sensorium
