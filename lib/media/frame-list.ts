import type { DecodeContext } from './decode-context.js';
import { withoutReservation } from './decode-context.js';
import { invalidMedia } from './failure.js';
import { decodedImageBytes, decodeImage, readImageHeader } from './image.js';
import { Limiter } from './limiter.js';
import type { VideoSettings } from './media-settings.js';
import { toRgbImage } from './raw-pixels.js';
import type { DecodedImage, DecodedVideo, RawPixels } from './types.js';
import { checkedDecodedBytes } from './video-limits.js';
import type { VideoSampling } from '../processors/types.js';

const MAX_CONCURRENT_FRAMES = 4;

/** One frame: an encoded picture, or pixels that a caller in process decoded. */
export type FramePicture = Uint8Array | DecodedImage | RawPixels;

/**
 * A video given as still pictures, already sampled at `fps`. All must have one size.
 * Throws `invalid_video`, `media_too_large` and what a picture's own decoding throws.
 */
export async function decodeFrameList(
  pictures: FramePicture[],
  fps: number | undefined,
  settings: VideoSettings,
  defaults: VideoSampling,
  context: DecodeContext,
): Promise<DecodedVideo> {
  if (pictures.length === 0) throw invalidMedia('video', 'has no frames');
  if (pictures.length > context.policy.maxVideoFrames) {
    throw invalidMedia('video', `has more than ${context.policy.maxVideoFrames} frames`);
  }
  await context.reserve(checkedDecodedBytes(await decodedBytes(pictures, context), context.policy));
  const limiter = new Limiter(MAX_CONCURRENT_FRAMES);
  const inner = withoutReservation(context);
  const frames = await Promise.all(
    pictures.map((picture) => limiter.run(() => decodeFrame(picture, settings, inner))),
  );
  const { width, height } = frames[0] as { width: number; height: number };
  if (frames.some((frame) => frame.width !== width || frame.height !== height)) {
    throw invalidMedia('video', 'has frames of different sizes');
  }
  const sampledFps = settings.fps ?? fps ?? defaults.fps;
  const total = frames.length;
  return {
    kind: 'video',
    frames: frames.map((frame) => frame.data),
    width,
    height,
    metadata: {
      fps: sampledFps,
      totalNumFrames: total,
      duration: total / sampledFps,
      framesIndices: [...frames.keys()],
    },
    sampledFps,
  };
}

async function decodedBytes(pictures: FramePicture[], { policy }: DecodeContext): Promise<number> {
  let total = 0;
  for (const picture of pictures) {
    const isEncoded = picture instanceof Uint8Array;
    total += isEncoded ? decodedImageBytes(await readImageHeader(picture, policy)) : picture.data.length;
    checkedDecodedBytes(total, policy);
  }
  return total;
}

function decodeFrame(
  picture: FramePicture,
  settings: VideoSettings,
  context: DecodeContext,
): Promise<DecodedImage> {
  if (picture instanceof Uint8Array) return decodeImage(picture, settings, context);
  return 'kind' in picture ? Promise.resolve(picture) : toRgbImage(picture, settings, context.signal);
}
