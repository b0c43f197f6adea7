import { cmykToRgb } from './cmyk.js';
import { abortReason, invalidMedia, tooLarge } from './failure.js';
import type { MediaPolicy, RawPixels, SharpImage } from './types.js';

/**
 * Pixels of a sharp pipeline, upright, 8 bits a channel, colours as Pillow has them: without profiles. The pipeline itself
 * stays as it was. `lease` is called with the number of pixels before any is decoded.
 * Throws `invalid_image`, `media_too_large`.
 */
export async function readSharpImage(
  image: SharpImage,
  policy: MediaPolicy,
  lease: (numPixels: number) => Promise<void>,
  signal: AbortSignal,
): Promise<RawPixels> {
  const { width = 0, height = 0, space } = await untilAborted(image.metadata(), signal);
  checkSize(width, height, policy);
  await lease(width * height);
  const inks = space === 'cmyk' ? await readInks(image, policy, signal) : undefined;
  if (inks !== undefined) return inks;
  const { data, info } = await decode(keepProfile(upright(image)).toColourspace('srgb'), policy, signal);
  const { channels } = info;
  if (channels !== 1 && channels !== 2 && channels !== 3 && channels !== 4) {
    throw invalidMedia('image', `has ${channels} channels`);
  }
  return { data, width: info.width, height: info.height, channels };
}

/** Pixels of a picture in four inks; undefined where its pipeline makes something else of it. */
async function readInks(
  image: SharpImage,
  policy: MediaPolicy,
  signal: AbortSignal,
): Promise<RawPixels | undefined> {
  const inks = upright(image).removeAlpha().pipelineColourspace('cmyk').toColourspace('cmyk');
  const { data, info } = await decode(inks, policy, signal);
  if (info.channels !== 4) return undefined;
  return { data: await cmykToRgb(data, signal), width: info.width, height: info.height, channels: 3 };
}

function upright(image: SharpImage): SharpImage {
  const copy = image.clone();
  return typeof copy.autoOrient === 'function' ? copy.autoOrient() : copy.rotate();
}

/** A profile that is kept is not applied. */
function keepProfile(image: SharpImage): SharpImage {
  return typeof image.keepIccProfile === 'function' ? image.keepIccProfile() : image;
}

async function decode(
  image: SharpImage,
  policy: MediaPolicy,
  signal: AbortSignal,
): ReturnType<SharpImage['toBuffer']> {
  const work = image.raw({ depth: 'uchar' }).toBuffer({ resolveWithObject: true });
  const decoded = await untilAborted(work, signal);
  checkSize(decoded.info.width, decoded.info.height, policy);
  return decoded;
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
