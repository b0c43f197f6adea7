// Prints this machine's limits as one JSON object: bench_limits [num_threads].
#include <cstdio>
#include <cstdlib>
#include <functional>

#include "backend/select.h"
#include "core/thread_pool.h"
#include "machine_limits.h"

using namespace sensorium;

namespace {

/// Sum of all threads' rates, running at once.
double on_all_threads(ThreadPool& pool, const std::function<double(double)>& measure) {
  std::vector<double> rates(static_cast<size_t>(pool.num_threads()));
  pool.run([&](int i) { rates[static_cast<size_t>(i)] = measure(0.3); });
  double sum = 0.0;
  for (const double rate : rates) sum += rate;
  return sum;
}

}  // namespace

int main(int argc, char** argv) {
  ThreadPool pool(argc > 1 ? std::atoi(argv[1]) : 0);
  const CpuInfo info = cpu_info();
  std::printf("{\"cpu\": \"%s\", \"num_threads\": %d", info.brand.c_str(), pool.num_threads());
  std::printf(", \"avx2_fma_flops\": %.4g", on_all_threads(pool, bench::fma_peak_avx2));
  std::printf(", \"avx512_fma_flops\": %.4g", on_all_threads(pool, bench::fma_peak_avx512));
  std::printf(", \"avx512_bf16_dot_flops\": %.4g", on_all_threads(pool, bench::dot_peak_avx512_bf16));
  std::printf(", \"amx_bf16_flops\": %.4g", on_all_threads(pool, bench::tile_peak_amx_bf16));
  std::printf(", \"dram_read_bytes_per_s\": %.4g}\n", bench::read_bandwidth(pool.num_threads(), int64_t{1} << 30, 5));
  return 0;
}
