import { tooLarge } from './failure.js';
import type { DecodedMedia, ItemLimit } from './types.js';
import { checkFrameLimit } from './video-limits.js';

/**
 * Throws `media_too_large` for an item beyond what the server allows one of its modality to be. `samplingRate`: of the
 * model, in which the length of sound is counted.
 */
export function checkItemLimit(
  media: DecodedMedia,
  limit: ItemLimit | undefined,
  samplingRate: number,
): void {
  if (limit === undefined) return;
  if (media.kind === 'video') {
    const { width, height, frames } = media;
    checkFrameLimit({ width, height, numFrames: frames.length }, limit);
    return;
  }
  if (media.kind === 'image') {
    const { width, height } = media;
    if (width <= (limit.width ?? Infinity) && height <= (limit.height ?? Infinity)) return;
    const most = `${limit.width ?? 'any'} x ${limit.height ?? 'any'}`;
    throw tooLarge('image', `has ${width} x ${height} pixels, more than the limit of ${most}`);
  }
  const numSamples = Math.ceil((media.samples.length / media.samplingRate) * samplingRate);
  if (numSamples > (limit.length ?? Infinity)) {
    throw tooLarge(
      'audio',
      `has ${numSamples} samples at ${samplingRate} Hz, more than the limit of ${limit.length}`,
    );
  }
}
