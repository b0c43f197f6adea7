#include <algorithm>
#include <cstdlib>

#include "backend_testing.h"
#include "core/error.h"

using namespace sensorium;
using namespace sensorium::testing;

TEST(generic_is_always_available_and_worst) {
  const std::vector<std::string> isas = available_isas();
  CHECK(!isas.empty());
  CHECK_EQ(isas.front(), "generic");
}

TEST(every_available_table_can_be_forced) {
  for (const std::string& isa : available_isas()) {
    const auto backend = create({isa, false, DType::kFloat32});
    CHECK_EQ(backend->name(), isa);
    CHECK(backend->compute_dtype() == DType::kFloat32);
  }
}

TEST(the_environment_forces_a_table_and_options_override_it) {
  setenv("SENSORIUM_CPU_ISA", "generic", 1);
  CHECK_EQ(create_cpu_backend({})->name(), "generic");
  BackendOptions options;
  options.isa = available_isas().back();
  CHECK_EQ(create_cpu_backend(options)->name(), available_isas().back());
  setenv("SENSORIUM_CPU_ISA", "avx1024", 1);
  CHECK_THROWS(create_cpu_backend({}), ErrorCode::kUnavailable);
  unsetenv("SENSORIUM_CPU_ISA");
  CHECK_EQ(create_cpu_backend({})->name(), available_isas().back());
}

TEST(unknown_or_missing_tables_are_refused) {
  BackendOptions options;
  options.isa = "sse9";
  CHECK_THROWS(create_cpu_backend(options), ErrorCode::kUnavailable);
  const std::vector<std::string> isas = available_isas();
  for (const char* isa : {"avx2", "avx512", "amx"}) {
    if (std::find(isas.begin(), isas.end(), isa) != isas.end()) continue;
    options.isa = isa;
    CHECK_THROWS(create_cpu_backend(options), ErrorCode::kUnavailable);
  }
}

TEST(a_compute_dtype_must_be_a_float_of_ours) {
  BackendOptions options;
  options.compute_dtype = DType::kInt8;
  CHECK_THROWS(create_cpu_backend(options), ErrorCode::kInvalidArgument);
}

TEST(emulated_tiles_run_everywhere_and_say_so) {
  const auto backend = create({"amx", true, DType::kBFloat16});
  CHECK_EQ(backend->name(), "amx");
  CHECK(backend->tile_unit() == TileUnit::kEmulated);
}

TEST(dots_can_be_forced_only_where_the_cpu_has_them) {
  const std::vector<std::string> isas = available_isas();
  if (std::find(isas.begin(), isas.end(), "avx512") == isas.end()) return;
  const auto without = create({"avx512", false, DType::kBFloat16, false});
  CHECK(without->product_unit() == ProductUnit::kMultiplyAdd);
  if (has_dots()) {
    const auto with = create({"avx512", false, DType::kBFloat16, true});
    CHECK(with->product_unit() == ProductUnit::kBFloat16Dot);
    CHECK(create({"avx512", false, DType::kFloat32, true})->product_unit() == ProductUnit::kMultiplyAdd);
  } else {
    CHECK_THROWS(create({"avx512", false, DType::kBFloat16, true}), ErrorCode::kUnavailable);
  }
}

TEST(cpu_info_names_what_the_tables_need) {
  const CpuInfo info = cpu_info();
  CHECK(info.num_physical_cores >= 1);
  const auto has = [&](const char* feature) {
    return std::find(info.features.begin(), info.features.end(), feature) != info.features.end();
  };
  for (const std::string& isa : available_isas()) {
    if (isa == "avx2") CHECK(has("avx2") && has("fma"));
    if (isa == "avx512") CHECK(has("avx512f") && has("avx512vl"));
    if (isa == "amx") CHECK(has("amx_tile") && has("amx_bf16"));
  }
}
