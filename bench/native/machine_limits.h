#pragma once

#include <cstdint>

/// Limits of this machine, measured with loops that do nothing else. Each is of one thread and measured in that thread's CPU
/// time, so that a busy machine disturbs it little; `seconds` is about how long a measurement takes.
namespace sensorium::bench {

/// CPU seconds of this thread.
double thread_seconds();
/// Seconds of the wall clock.
double wall_seconds();

/// Multiply-adds on registers alone, in FLOP/s; 0 where the machine lacks the instructions.
double fma_peak_avx2(double seconds);
double fma_peak_avx512(double seconds);
double dot_peak_avx512_bf16(double seconds);
double tile_peak_amx_bf16(double seconds);

/// Bytes per second that this thread reads, in its CPU time, from an array kept from the first call on.
double read_bandwidth_of_thread(int64_t size_bytes);
/// Bytes per second of the wall clock that `num_threads` threads together read from an array of `size_bytes` (best of
/// `num_passes`).
double read_bandwidth(int num_threads, int64_t size_bytes, int num_passes);

}  // namespace sensorium::bench
