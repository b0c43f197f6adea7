import { abortReason, invalidMedia, tooLarge } from './failure.js';
import type { MediaPolicy, RawPixels, SharpImage } from './types.js';

/**
 * Pixels of a sharp pipeline, upright, 8 bits a channel. The pipeline itself stays as it was. `lease` is called with the
 * number of pixels before any is decoded.
 * Throws `invalid_image`, `media_too_large`.
 */
export async function readSharpImage(
  image: SharpImage,
  policy: MediaPolicy,
  lease: (numPixels: number) => Promise<void>,
  signal: AbortSignal,
): Promise<RawPixels> {
  const { width = 0, height = 0 } = await untilAborted(image.metadata(), signal);
  checkSize(width, height, policy);
  await lease(width * height);
  const copy = image.clone();
  const upright = typeof copy.autoOrient === 'function' ? copy.autoOrient() : copy.rotate();
  const output = upright.toColourspace('srgb').raw({ depth: 'uchar' });
  const { data, info } = await untilAborted(output.toBuffer({ resolveWithObject: true }), signal);
  checkSize(info.width, info.height, policy);
  const { channels } = info;
  if (channels !== 1 && channels !== 2 && channels !== 3 && channels !== 4) {
    throw invalidMedia('image', `has ${channels} channels`);
  }
  return { data, width: info.width, height: info.height, channels };
}

function checkSize(width: number, height: number, policy: MediaPolicy): void {
  if (width * height <= policy.maxImagePixels) return;
  const size = `${width} x ${height} pixels`;
  throw tooLarge('image', `has ${size}, more than the limit of ${policy.maxImagePixels}`);
}

/** A pipeline that reads from a stream may never end: the request's end ends the waiting. */
function untilAborted<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    const onAbort = (): void => reject(abortReason(signal));
    signal.addEventListener('abort', onAbort, { once: true });
    const onBroken = (error: unknown): void => reject(invalidMedia('image', 'cannot be decoded', error));
    work.then(resolve, onBroken).finally(() => signal.removeEventListener('abort', onAbort));
  });
}
