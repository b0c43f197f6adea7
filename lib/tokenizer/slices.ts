import { setImmediate as nextTurn } from 'node:timers/promises';

/** Work in small steps that tells how many tokens there are so far, then all of them. */
export type TokenSteps = Generator<number, number[]>;

/** Longest time that one slice may hold the event loop, in ms. */
const SLICE_MS = 4;

/** Runs to the end at once. */
export function runAtOnce(steps: TokenSteps): number[] {
  for (;;) {
    const step = steps.next();
    if (step.done === true) return step.value;
  }
}

/** Runs to the end, giving way to the event loop again and again. `check` may end it by throwing. */
export async function runInSlices(steps: TokenSteps, check?: (numTokens: number) => void): Promise<number[]> {
  let sliceStart = performance.now();
  for (;;) {
    const step = steps.next();
    if (step.done === true) return step.value;
    check?.(step.value);
    if (performance.now() - sliceStart < SLICE_MS) continue;
    await nextTurn();
    sliceStart = performance.now();
  }
}
