import { execFile } from 'node:child_process';
import { promisify } from 'node:util';

/** What this machine can do at best with all threads; 0 where it lacks the instructions. Printed by native/bench_limits. */
export interface MachineLimits {
  cpu: string;
  num_threads: number;
  avx2_fma_flops: number;
  avx512_fma_flops: number;
  avx512_bf16_dot_flops: number;
  amx_bf16_flops: number;
  /** Over a working set larger than any cache. */
  dram_read_bytes_per_s: number;
}

export async function measureLimits(program: string): Promise<MachineLimits> {
  const { stdout } = await promisify(execFile)(program, { timeout: 120_000 });
  return JSON.parse(stdout) as MachineLimits;
}

/** The faster unit that the avx512 table takes for bfloat16 where this CPU has it: told beside the peak it is held against. */
export function dotPeak(limits: MachineLimits, isa: string): { name: string; flops: number } | undefined {
  const isFaster = limits.avx512_bf16_dot_flops > limits.avx512_fma_flops;
  return isa === 'avx512' && isFaster
    ? { name: 'AVX-512 bf16 dot peak', flops: limits.avx512_bf16_dot_flops }
    : undefined;
}

/** Shares of the peaks for `flops` operations in `ms`: the one with a bar first. */
export function computeShares(
  limits: MachineLimits,
  isa: string,
  flops: number,
  ms: number,
): { of: string; value: number }[] {
  const peaks = [computePeak(limits, isa), dotPeak(limits, isa)];
  return peaks.flatMap((peak) =>
    peak === undefined ? [] : [{ of: peak.name, value: flops / (ms / 1000) / peak.flops }],
  );
}

/** The register peak that the table `isa` is held against: AMX tiles, else fp32 multiply-adds. */
export function computePeak(limits: MachineLimits, isa: string): { name: string; flops: number } {
  if (isa === 'amx' && limits.amx_bf16_flops > 0)
    return { name: 'AMX bf16 peak', flops: limits.amx_bf16_flops };
  if (limits.avx512_fma_flops > 0 && isa !== 'avx2' && isa !== 'generic') {
    return { name: 'AVX-512 fp32 FMA peak', flops: limits.avx512_fma_flops };
  }
  return { name: 'AVX2 fp32 FMA peak', flops: limits.avx2_fma_flops };
}
