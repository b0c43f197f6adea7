import { nextTurn, throwIfAborted } from './failure.js';

const PIXELS_PER_TURN = 256 * 1024;

/**
 * Interleaved CMYK as RGB in the same memory, whose first three quarters are returned. Pillow's conversion: no profiles, each
 * colour scaled by what black leaves. Large pictures leave the event loop free.
 */
export async function cmykToRgb(data: Uint8Array, signal?: AbortSignal): Promise<Uint8Array> {
  const numPixels = Math.floor(data.length / 4);
  for (let start = 0; start < numPixels; start += PIXELS_PER_TURN) {
    if (start > 0) await nextTurn();
    throwIfAborted(signal);
    convert(data, start, Math.min(numPixels, start + PIXELS_PER_TURN));
  }
  return data.subarray(0, numPixels * 3);
}

/** What is written lies before what is read next. */
function convert(data: Uint8Array, start: number, end: number): void {
  for (let i = start; i < end; i++) {
    const light = 255 - (data[i * 4 + 3] as number);
    for (let c = 0; c < 3; c++) {
      data[i * 3 + c] = Math.round(((255 - (data[i * 4 + c] as number)) * light) / 255);
    }
  }
}
