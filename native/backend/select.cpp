#include "backend/select.h"

#include <algorithm>
#include <cstdlib>
#include <string_view>

#include "backend/cpu/cpu_backend.h"
#include "backend/cpu/table.h"
#include "backend/detect.h"
#include "core/cpu_count.h"
#include "core/error.h"

namespace sensorium {
namespace {

std::string join(const std::vector<std::string>& names) {
  std::string joined;
  for (const std::string& name : names) joined += (joined.empty() ? "" : ", ") + name;
  return joined;
}

/// The table that the options, else the environment, force.
std::optional<std::string> forced_isa(const BackendOptions& options) {
  if (options.isa) return options.isa;
  const char* isa = std::getenv("SENSORIUM_CPU_ISA");
  if (isa == nullptr || *isa == '\0') return std::nullopt;
  return isa;
}

/// Whether a forced tile table may run without the instructions: slow, but the same to the bit.
bool should_emulate_tiles(const BackendOptions& options) {
  if (options.emulate_tiles) return true;
  const char* value = std::getenv("SENSORIUM_EMULATE_TILES");
  return value != nullptr && std::string_view(value) == "1" && !cpu_features().has_amx_bf16;
}

/// The vector kernels that this machine runs best.
KernelTable best_vector_table() {
#if defined(__x86_64__)
  if (cpu_features().has_avx512) return avx512_table();
  if (cpu_features().has_avx2) return avx2_table();
#endif
  return generic_table();
}

const TileKernels& emulated_tiles() {
#if defined(__x86_64__)
  if (cpu_features().has_avx512) return avx512_emulated_tiles();
  if (cpu_features().has_avx2) return avx2_emulated_tiles();
#endif
  return generic_emulated_tiles();
}

/// The tile table: the best vector kernels, and tiles for bfloat16.
KernelTable amx_table(const TileKernels& tiles) {
  KernelTable table = best_vector_table();
  table.name = "amx";
  table.tiles = &tiles;
  return table;
}

#if defined(__x86_64__)
/// The avx512 table, with dots where they are wanted or faster.
KernelTable avx512_table_with(std::optional<bool> use_dots) {
  KernelTable table = avx512_table();
  const bool has_dots = cpu_features().has_avx512_bf16;
  if (use_dots.value_or(false) && !has_dots) {
    throw Error(ErrorCode::kUnavailable, "BF16 dot instructions are not available on this machine");
  }
  if (has_dots && (use_dots ? *use_dots : are_avx512_bf16_dots_fast())) table.tiles = &avx512_bf16_dots();
  return table;
}
#endif

KernelTable table_named(std::string_view name, const BackendOptions& options) {
#if defined(__x86_64__)
  if (name == "amx") return amx_table(amx_tiles());
  if (name == "avx512") return avx512_table_with(options.use_dots);
  if (name == "avx2") return avx2_table();
#endif
  (void)name;
  (void)options;
  return generic_table();
}

}  // namespace

std::vector<std::string> available_isas() {
  std::vector<std::string> isas = {"generic"};
  if (cpu_features().has_avx2) isas.emplace_back("avx2");
  if (cpu_features().has_avx512) isas.emplace_back("avx512");
  if (cpu_features().has_amx_bf16) isas.emplace_back("amx");
  return isas;
}

CpuInfo cpu_info() {
  const CpuFeatures& features = cpu_features();
  return {features.vendor, features.brand, feature_names(features), num_usable_physical_cores()};
}

std::unique_ptr<Backend> create_cpu_backend(const BackendOptions& options) {
  const std::vector<std::string> isas = available_isas();
  const std::string isa = forced_isa(options).value_or(isas.back());
  if (isa == "amx" && should_emulate_tiles(options)) {
    return std::make_unique<CpuBackend>(amx_table(emulated_tiles()), options.compute_dtype, options.num_threads);
  }
  if (std::find(isas.begin(), isas.end(), isa) == isas.end()) {
    throw Error(ErrorCode::kUnavailable,
                "instruction set \"" + isa + "\" is not available on this machine, which can run: " + join(isas));
  }
  return std::make_unique<CpuBackend>(table_named(isa, options), options.compute_dtype, options.num_threads);
}

}  // namespace sensorium
