import { totalmem } from 'node:os';
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

/** Bytes of memory this process may use: the machine's, or the limit of its control group. */
export function usableMemoryBytes(): number {
  const limit = process.constrainedMemory();
  return limit > 0 ? Math.min(limit, totalmem()) : totalmem();
}
