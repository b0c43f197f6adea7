/** Below, the collector is cheaper. */
const LEAST_BYTES = 2 ** 20;
/** Its other end is closed: what is sent there is dropped, and the memory that was moved with it is free at once. */
const { port1: drain } = new MessageChannel();
drain.close();

/**
 * Frees the memory of `bytes`, which nobody may use any more. Megabytes that wait for the garbage collector make it run
 * many times a second, over the whole heap. Memory that is shared or cannot be moved is left to it.
 */
export function release(bytes: Uint8Array): void {
  const { buffer } = bytes;
  if (bytes.byteLength < LEAST_BYTES || !(buffer instanceof ArrayBuffer) || bytes.byteLength !== buffer.byteLength) return;
  try {
    drain.postMessage(null, [buffer]);
  } catch (error) {
    if (!(error instanceof DOMException)) throw error;
  }
}
