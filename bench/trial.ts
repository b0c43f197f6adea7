import type { MachineLimits } from './limits.js';

/** One figure of a trial with the limit it is held against. */
export interface Figure {
  name: string;
  value: number;
  unit: string;
  /** Shares of the machine's limits, 0..1; the target is about the first. */
  shares: { of: string; value: number }[];
  /** The bar this figure has to reach, in words. */
  target: string;
  isMet: boolean;
}

export interface TrialContext {
  limits: MachineLimits;
  /** Folder for generated checkpoints, shared by the trials of a run. */
  workFolder: string;
}

/** A row of the bench: runs in its own process, checks its answer, then times. */
export interface Trial {
  name: string;
  title: string;
  run(context: TrialContext): Promise<Figure[]>;
}

export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = Math.floor(sorted.length / 2);
  const upper = sorted[middle] ?? Number.NaN;
  return sorted.length % 2 === 1 ? upper : ((sorted[middle - 1] ?? Number.NaN) + upper) / 2;
}

/** Runs `body` once unmeasured and `repeats` times measured; returns the median in milliseconds. */
export async function medianMs(repeats: number, body: () => Promise<unknown>): Promise<number> {
  await body();
  const times: number[] = [];
  for (let i = 0; i < repeats; i++) {
    const begin = performance.now();
    await body();
    times.push(performance.now() - begin);
  }
  return median(times);
}

export function check(condition: boolean, what: string): asserts condition {
  if (!condition) throw new Error(`the answer is wrong: ${what}`);
}
