import { SensoriumError, toSensoriumError } from '../errors.js';
import type { VideoSampling } from '../processors/types.js';
import type { DecodeContext } from './decode-context.js';
import { withoutReservation } from './decode-context.js';
import { invalidMedia } from './failure.js';
import { describeFrameList } from './frame-list-metadata.js';
import { decodedImageBytes, decodeImage, readImageHeader } from './image.js';
import { Limiter } from './limiter.js';
import { toRgbImage } from './raw-pixels.js';
import type { DecodedImage, DecodedVideo, FrameListMetadata, RawPixels } from './types.js';
import { checkedDecodedBytes, checkFrameLimit, chooseFrames } from './video-limits.js';
import type { VideoSettings } from './video-settings.js';

const MAX_CONCURRENT_FRAMES = 4;

/** One frame: an encoded picture, or pixels that a caller in process decoded. */
export type FramePicture = Uint8Array | DecodedImage | RawPixels;

/** Pictures that form one video, and what came with them. */
export interface FrameList {
  pictures: FramePicture[];
  /** Rate that they were taken at, where nothing else says it. */
  fps?: number | undefined;
  metadata?: FrameListMetadata | undefined;
}

/**
 * A video given as still pictures, taken as sampled already; `num_frames` keeps the first ones. All must have one size.
 * Throws `invalid_video` naming the picture at fault, `invalid_value` for metadata that do not fit, `media_too_large`.
 */
export async function decodeFrameList(
  list: FrameList,
  settings: VideoSettings,
  defaults: VideoSampling,
  context: DecodeContext,
): Promise<DecodedVideo> {
  const { maxVideoFrames } = context.policy;
  if (list.pictures.length === 0) throw invalidMedia('video', 'has no frames');
  if (list.pictures.length > maxVideoFrames)
    throw invalidMedia('video', `has more than ${maxVideoFrames} frames`);
  const most = typeof settings.numFrames === 'number' ? settings.numFrames : list.pictures.length;
  const first = list.pictures.slice(0, most);
  const described = describeFrameList(first.length, list, settings, defaults);
  const places = sampleAgain(first.length, described.sampledFps, settings, defaults, context);
  const pictures = places.map((place) => first[place] as FramePicture);
  await context.reserve(checkedDecodedBytes(await decodedBytes(pictures, context), context.policy));
  const frames = await decodeFrames(pictures, settings, withoutReservation(context));
  const { width, height } = frames[0] as DecodedImage;
  if (frames.some((frame) => frame.width !== width || frame.height !== height)) {
    throw invalidMedia('video', 'has frames of different sizes');
  }
  checkFrameLimit({ width, height, numFrames: frames.length }, context.itemLimit);
  const { metadata, sampledFps } = described;
  return {
    kind: 'video',
    frames: frames.map((frame) => frame.data),
    width,
    height,
    metadata: { ...metadata, framesIndices: places.map((place) => metadata.framesIndices[place] as number) },
    sampledFps: (sampledFps * places.length) / first.length,
  };
}

/** Places in the list that the processor keeps: all, unless it is asked to sample by itself. */
function sampleAgain(
  numPictures: number,
  fps: number,
  { resampling }: VideoSettings,
  defaults: VideoSampling,
  context: DecodeContext,
): number[] {
  const settings: VideoSettings = { numFrames: 'all', resampling, useAudioInVideo: false };
  return chooseFrames(numPictures, fps, settings, defaults, { policy: context.policy }).indices;
}

async function decodeFrames(
  pictures: FramePicture[],
  settings: VideoSettings,
  context: DecodeContext,
): Promise<DecodedImage[]> {
  const limiter = new Limiter(MAX_CONCURRENT_FRAMES);
  return await Promise.all(
    pictures.map((picture, i) =>
      limiter.run(() => atFrame(i, async () => await decodeFrame(picture, settings, context))),
    ),
  );
}

/** What is wrong with a picture, as a fault of the video that names the picture. */
export async function atFrame<T>(index: number, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    const failure = toSensoriumError(error);
    const { code, message, cause } = failure;
    const isFault = code === 'invalid_image' || code === 'media_format_refused' || code === 'invalid_url';
    if (!isFault && code !== 'media_too_large') throw failure;
    const text = `Frame ${index} of the video: ${message.charAt(0).toLowerCase()}${message.slice(1)}`;
    throw new SensoriumError(isFault ? 'invalid_video' : code, text, { cause });
  }
}

async function decodedBytes(pictures: FramePicture[], { policy }: DecodeContext): Promise<number> {
  let total = 0;
  for (const [i, picture] of pictures.entries()) {
    const isEncoded = picture instanceof Uint8Array;
    total += isEncoded
      ? decodedImageBytes(await atFrame(i, () => readImageHeader(picture, policy)))
      : picture.data.length;
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
