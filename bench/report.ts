import type { MachineLimits } from './limits.js';
import type { Figure } from './trial.js';

function giga(value: number): string {
  return value > 0 ? (value / 1e9).toFixed(1) : '-';
}

/** The machine's card: what it is and what it can do, measured in this run. */
export function machineCard(limits: MachineLimits): string {
  return [
    `| machine | ${limits.cpu}, ${limits.num_threads} threads |`,
    '| --- | --- |',
    `| AVX2 fp32 FMA | ${giga(limits.avx2_fma_flops)} GFLOP/s |`,
    `| AVX-512 fp32 FMA | ${giga(limits.avx512_fma_flops)} GFLOP/s |`,
    `| AVX-512 bf16 dot | ${giga(limits.avx512_bf16_dot_flops)} GFLOP/s |`,
    `| AMX bf16 tiles | ${giga(limits.amx_bf16_flops)} GFLOP/s |`,
    `| DRAM read | ${giga(limits.dram_read_bytes_per_s)} GB/s |`,
  ].join('\n');
}

export function figureRow(figure: Figure): string {
  const share = figure.shares.map(({ of, value }) => `${(100 * value).toFixed(0)} % of ${of}`).join(', ');
  const value = figure.value >= 100 ? figure.value.toFixed(0) : figure.value.toFixed(2);
  return `| ${figure.name} | ${value} ${figure.unit} | ${share} | ${figure.target} | ${figure.isMet ? 'yes' : 'no'} |`;
}

export const FIGURE_HEADER =
  '| figure | median | share of the limit | wanted | met |\n| --- | --- | --- | --- | --- |';
