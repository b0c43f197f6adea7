import { totalmem } from 'node:os';
import { setFlagsFromString } from 'node:v8';
import { loadAddon } from '../native/load.js';

/**
 * Makes this process give the memory of freed pictures and sounds back to the system at once. It changes the C allocator of the
 * whole process, so programs of one's own decide for themselves: `sensorium serve` calls it.
 */
export function returnFreedMemory(): void {
  loadAddon().returnFreedMemory();
}

/**
 * Lets the threads that decode and preprocess media give way to those that compute answers. They serve the whole process, and
 * their priority never rises again, so programs of one's own decide for themselves: `sensorium serve` calls it.
 */
export function giveWayToAnswers(): Promise<void> {
  return loadAddon().lowerWorkerPriority();
}

/**
 * Lets the heap of V8 grow to three times what lives in it before all of it is collected. Decoded pictures count against its
 * limit though they are given back by hand: at V8's usual limit for a small heap, two of four megapixels set off a collection,
 * and every answer waits for it. Of the whole process, as above.
 */
export function collectRarely(): void {
  setFlagsFromString('--heap-growing-percent=200');
}

/** Bytes of memory this process may use: the machine's, or the limit of its control group. */
export function usableMemoryBytes(): number {
  const limit = process.constrainedMemory();
  return limit > 0 ? Math.min(limit, totalmem()) : totalmem();
}
