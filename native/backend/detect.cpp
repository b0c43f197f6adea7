#include "backend/detect.h"

#include <cstdint>
#include <cstring>

#if defined(__x86_64__)
#include <cpuid.h>
#if defined(__linux__)
#include <sys/syscall.h>
#include <unistd.h>
#endif
#endif

namespace sensorium {
namespace {

#if defined(__x86_64__)

struct CpuId {
  uint32_t eax = 0;
  uint32_t ebx = 0;
  uint32_t ecx = 0;
  uint32_t edx = 0;
  CpuId(uint32_t leaf, uint32_t subleaf) { __get_cpuid_count(leaf, subleaf, &eax, &ebx, &ecx, &edx); }
};

bool has_bit(uint64_t bits, int index) { return ((bits >> index) & 1U) != 0; }

/// XCR0: the register states that the operating system saves.
uint64_t enabled_states() {
  uint32_t low = 0;
  uint32_t high = 0;
  asm volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
  return (static_cast<uint64_t>(high) << 32) | low;
}

/// Linux grants tile data to a process that asks.
bool request_tile_permission() {
#if defined(__linux__)
  constexpr int kRequestPermission = 0x1023;  // ARCH_REQ_XCOMP_PERM
  constexpr int kTileData = 18;               // XFEATURE_XTILEDATA
  return syscall(SYS_arch_prctl, kRequestPermission, kTileData) == 0;
#else
  return false;
#endif
}

std::string read_brand() {
  char brand[49] = {};
  for (uint32_t i = 0; i < 3; ++i) {
    const CpuId part(0x80000002U + i, 0);
    const uint32_t words[4] = {part.eax, part.ebx, part.ecx, part.edx};
    std::memcpy(brand + i * sizeof(words), words, sizeof(words));
  }
  return brand;
}

CpuFeatures detect() {
  CpuFeatures features;
  const CpuId vendor(0, 0);
  const uint32_t words[3] = {vendor.ebx, vendor.edx, vendor.ecx};
  features.vendor.assign(reinterpret_cast<const char*>(words), sizeof(words));
  features.brand = read_brand();
  const CpuId base(1, 0);
  if (!has_bit(base.ecx, 27)) return features;  // OSXSAVE
  constexpr uint64_t kAvxState = 0x6;
  constexpr uint64_t kAvx512State = 0xe6;
  constexpr uint64_t kTileState = 0x60000;
  const uint64_t states = enabled_states();
  const CpuId extended(7, 0);
  const CpuId more(7, 1);
  features.has_avx2 =
      (states & kAvxState) == kAvxState && has_bit(extended.ebx, 5) && has_bit(base.ecx, 12) && has_bit(base.ecx, 29);
  features.has_avx512 = features.has_avx2 && (states & kAvx512State) == kAvx512State && has_bit(extended.ebx, 16) &&
                        has_bit(extended.ebx, 17) && has_bit(extended.ebx, 30) && has_bit(extended.ebx, 31);
  features.has_avx512_bf16 = features.has_avx512 && has_bit(more.eax, 5);
  features.has_avx512_vnni = features.has_avx512 && has_bit(extended.ecx, 11);
  const bool has_tiles = features.has_avx512_bf16 && (states & kTileState) == kTileState && has_bit(extended.edx, 24);
  if (has_tiles && has_bit(extended.edx, 22) && request_tile_permission()) {
    features.has_amx_bf16 = true;
    features.has_amx_int8 = has_bit(extended.edx, 25);
  }
  return features;
}

#else

CpuFeatures detect() { return {}; }

#endif

}  // namespace

const CpuFeatures& cpu_features() {
  static const CpuFeatures features = detect();
  return features;
}

std::vector<std::string> feature_names(const CpuFeatures& features) {
  std::vector<std::string> names;
  if (features.has_avx2) names.insert(names.end(), {"avx2", "fma", "f16c"});
  if (features.has_avx512) names.insert(names.end(), {"avx512f", "avx512bw", "avx512dq", "avx512vl"});
  if (features.has_avx512_bf16) names.emplace_back("avx512_bf16");
  if (features.has_avx512_vnni) names.emplace_back("avx512_vnni");
  if (features.has_amx_bf16) names.insert(names.end(), {"amx_tile", "amx_bf16"});
  if (features.has_amx_int8) names.emplace_back("amx_int8");
  return names;
}

}  // namespace sensorium
