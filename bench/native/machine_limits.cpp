#include "machine_limits.h"

#include <time.h>

#include <algorithm>
#include <vector>

#include "backend/detect.h"
#include "core/tensor.h"
#include "core/thread_pool.h"

#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace sensorium::bench {
namespace {

double now(clockid_t clock) {
  timespec time{};
  clock_gettime(clock, &time);
  return static_cast<double>(time.tv_sec) + 1e-9 * static_cast<double>(time.tv_nsec);
}

/// Repeats `batch`, which does `flops` operations, for about `seconds` and returns the best rate of its runs.
template <typename Batch>
double best_rate(double seconds, double flops, Batch batch) {
  const double end = thread_seconds() + seconds;
  double best = 0.0;
  while (thread_seconds() < end) {
    const double begin = thread_seconds();
    batch();
    best = std::max(best, flops / (thread_seconds() - begin));
  }
  return best;
}

constexpr int64_t kSteps = 100'000;
constexpr int kChains = 12;  ///< more than latency times units of any core

#if defined(__x86_64__)

// Twelve independent chains named by hand: the compiler must not keep one in memory.
#define SENSORIUM_CHAINS(instruction, reg)                                                                                \
  for (int64_t i = 0; i < kSteps; ++i) {                                                                                  \
    asm volatile(instruction                                                                                              \
                 " %%" reg "14, %%" reg "15, %%" reg "0\n\t" instruction " %%" reg "14, %%" reg "15, %%" reg              \
                 "1\n\t" instruction " %%" reg "14, %%" reg "15, %%" reg "2\n\t" instruction " %%" reg "14, %%" reg       \
                 "15, %%" reg "3\n\t" instruction " %%" reg "14, %%" reg "15, %%" reg "4\n\t" instruction " %%" reg       \
                 "14, %%" reg "15, %%" reg "5\n\t" instruction " %%" reg "14, %%" reg "15, %%" reg "6\n\t" instruction    \
                 " %%" reg "14, %%" reg "15, %%" reg "7\n\t" instruction " %%" reg "14, %%" reg "15, %%" reg              \
                 "8\n\t" instruction " %%" reg "14, %%" reg "15, %%" reg "9\n\t" instruction " %%" reg "14, %%" reg       \
                 "15, %%" reg "10\n\t" instruction " %%" reg "14, %%" reg "15, %%" reg "11" ::                            \
                     : "xmm0", "xmm1", "xmm2", "xmm3", "xmm4", "xmm5", "xmm6", "xmm7", "xmm8", "xmm9", "xmm10", "xmm11"); \
  }

__attribute__((target("avx2,fma"))) void run_avx2() {
  asm volatile("vxorps %%ymm14, %%ymm14, %%ymm14\n\tvxorps %%ymm15, %%ymm15, %%ymm15" ::: "xmm14", "xmm15");
  SENSORIUM_CHAINS("vfmadd231ps", "ymm")
}

__attribute__((target("avx512f"))) void run_avx512() {
  asm volatile("vpxord %%zmm14, %%zmm14, %%zmm14\n\tvpxord %%zmm15, %%zmm15, %%zmm15" ::: "xmm14", "xmm15");
  SENSORIUM_CHAINS("vfmadd231ps", "zmm")
}

__attribute__((target("avx512f,avx512bf16"))) void run_dot() {
  asm volatile("vpxord %%zmm14, %%zmm14, %%zmm14\n\tvpxord %%zmm15, %%zmm15, %%zmm15" ::: "xmm14", "xmm15");
  SENSORIUM_CHAINS("vdpbf16ps", "zmm")
}

#undef SENSORIUM_CHAINS

struct alignas(64) TileConfig {
  uint8_t palette = 1;
  uint8_t start_row = 0;
  uint8_t reserved[14] = {};
  uint16_t row_bytes[16] = {};
  uint8_t rows[16] = {};
};

__attribute__((target("amx-tile,amx-bf16"))) void run_tiles() {
  TileConfig config;
  for (int i = 0; i < 8; ++i) {
    config.row_bytes[i] = 64;
    config.rows[i] = 16;
  }
  asm volatile("" ::: "memory");  // GCC 12 does not see that the next line reads config
  _tile_loadconfig(&config);
  _tile_zero(0);
  _tile_zero(1);
  _tile_zero(2);
  _tile_zero(3);
  _tile_zero(4);
  _tile_zero(5);
  for (int64_t i = 0; i < kSteps / 100; ++i) {
    _tile_dpbf16ps(0, 4, 5);
    _tile_dpbf16ps(1, 4, 5);
    _tile_dpbf16ps(2, 4, 5);
    _tile_dpbf16ps(3, 4, 5);
  }
  _tile_release();
}

/// XOR of an array's 64-byte lines: nothing but loads.
__attribute__((target("avx512f"))) void read_avx512(const char* data, int64_t size_bytes) {
  __m512i sums[4] = {};
  for (int64_t i = 0; i + 256 <= size_bytes; i += 256) {
    for (int c = 0; c < 4; ++c) sums[c] = _mm512_xor_si512(sums[c], _mm512_load_si512(data + i + c * 64));
  }
  for (__m512i& sum : sums) asm volatile("" : "+v"(sum));
}

#endif

void read_generic(const char* data, int64_t size_bytes) {
  using Words = uint64_t __attribute__((vector_size(16)));
  Words sums[4] = {};
  for (int64_t i = 0; i + 64 <= size_bytes; i += 64) {
    for (int c = 0; c < 4; ++c) sums[c] ^= *reinterpret_cast<const Words*>(data + i + c * 16);
  }
  for (Words& sum : sums) asm volatile("" : "+x"(sum));
}

void read_all(const char* data, int64_t size_bytes) {
#if defined(__x86_64__)
  if (cpu_features().has_avx512) return read_avx512(data, size_bytes);
#endif
  read_generic(data, size_bytes);
}

}  // namespace

double thread_seconds() { return now(CLOCK_THREAD_CPUTIME_ID); }
double wall_seconds() { return now(CLOCK_MONOTONIC); }

#if defined(__x86_64__)
double fma_peak_avx2(double seconds) {
  return cpu_features().has_avx2 ? best_rate(seconds, 2.0 * 8 * kChains * kSteps, run_avx2) : 0.0;
}
double fma_peak_avx512(double seconds) {
  return cpu_features().has_avx512 ? best_rate(seconds, 2.0 * 16 * kChains * kSteps, run_avx512) : 0.0;
}
double dot_peak_avx512_bf16(double seconds) {
  return cpu_features().has_avx512_bf16 ? best_rate(seconds, 4.0 * 16 * kChains * kSteps, run_dot) : 0.0;
}
double tile_peak_amx_bf16(double seconds) {
  constexpr double kTileFlops = 2.0 * 16 * 16 * 32;
  return cpu_features().has_amx_bf16 ? best_rate(seconds, 4 * kTileFlops * (kSteps / 100), run_tiles) : 0.0;
}
#else
double fma_peak_avx2(double) { return 0.0; }
double fma_peak_avx512(double) { return 0.0; }
double dot_peak_avx512_bf16(double) { return 0.0; }
double tile_peak_amx_bf16(double) { return 0.0; }
#endif

double read_bandwidth_of_thread(int64_t size_bytes) {
  static const Buffer buffer = [size_bytes] {
    Buffer filled(static_cast<size_t>(size_bytes));
    std::fill_n(static_cast<char*>(filled.data()), size_bytes, '\1');
    return filled;
  }();
  const auto read_bytes = static_cast<int64_t>(buffer.size_bytes());
  const double begin = thread_seconds();
  read_all(static_cast<const char*>(buffer.data()), read_bytes);
  return static_cast<double>(read_bytes) / (thread_seconds() - begin);
}

double read_bandwidth(int num_threads, int64_t size_bytes, int num_passes) {
  const int64_t part_bytes = size_bytes / num_threads / 256 * 256;
  Buffer buffer(static_cast<size_t>(part_bytes * num_threads));
  ThreadPool pool(num_threads);
  char* data = static_cast<char*>(buffer.data());
  pool.run([&](int i) { std::fill_n(data + i * part_bytes, part_bytes, static_cast<char>(i + 1)); });
  double best = 0.0;
  for (int pass = 0; pass < num_passes; ++pass) {
    const double begin = wall_seconds();
    pool.run([&](int i) { read_all(data + i * part_bytes, part_bytes); });
    best = std::max(best, static_cast<double>(part_bytes * num_threads) / (wall_seconds() - begin));
  }
  return best;
}

}  // namespace sensorium::bench
