import sharp from 'sharp';
import { SensoriumError } from '../errors.js';
import type { DecodeContext } from './decode-context.js';
import { invalidMedia, nextTurn, throwIfAborted, tooLarge } from './failure.js';
import { readImageHeader, sharpOptions, type ImageHeader } from './image.js';
import type { VideoSettings } from './media-settings.js';
import { toRgbImage } from './raw-pixels.js';
import type { DecodedVideo, RawPixels } from './types.js';
import { checkedDecodedBytes, checkFrameLimit, chooseFrames } from './video-limits.js';
import type { VideoSampling } from '../processors/types.js';

/** What browsers show a frame for that names no delay. */
const DEFAULT_DELAY_MS = 100;

/** Sampled frames of an animated GIF or WebP, at the mean rate of its delays. A still picture is a clip of one frame. */
export async function decodeAnimation(
  bytes: Uint8Array,
  settings: VideoSettings,
  defaults: VideoSampling,
  context: DecodeContext,
): Promise<DecodedVideo> {
  const header = await readImageHeader(bytes, context.policy, 'video');
  const total = header.numPages;
  const fps = meanFps(header);
  if (total / fps > context.policy.maxVideoSeconds) {
    throw tooLarge('video', `is longer than the limit of ${context.policy.maxVideoSeconds} seconds`);
  }
  checkFrameLimit(header, context.itemLimit);
  const { indices, numCandidates } = chooseFrames(total, fps, settings, defaults, context);
  const numBytes = header.width * header.height * (header.metadata?.hasAlpha === true ? 4 : 3) * total;
  await context.reserve(checkedDecodedBytes(numBytes, context.policy));
  throwIfAborted(context.signal);
  const { width, height } = header;
  return {
    kind: 'video',
    frames: await readPages(bytes, header, indices, settings, context.signal),
    width,
    height,
    metadata: { fps, totalNumFrames: total, duration: total / fps, framesIndices: indices },
    sampledFps: (indices.length / numCandidates) * fps,
  };
}

function meanFps(header: ImageHeader): number {
  const delays = header.metadata?.delay ?? [];
  const totalMs = delays.reduce((sum, delay) => sum + (delay > 0 ? delay : DEFAULT_DELAY_MS), 0);
  return totalMs > 0 ? (delays.length * 1000) / totalMs : 1000 / DEFAULT_DELAY_MS;
}

/** All pages come as one tall picture; a frame is a stretch of its rows. */
async function readPages(
  bytes: Uint8Array,
  header: ImageHeader,
  indices: number[],
  settings: VideoSettings,
  signal: AbortSignal | undefined,
): Promise<Uint8Array[]> {
  const { width, height, numPages } = header;
  const options = sharpOptions({ maxImagePixels: width * height * numPages });
  const pages = sharp(bytes, { ...options, pages: -1 });
  try {
    const { data, info } = await (settings.background === undefined ? pages.removeAlpha() : pages)
      .toColourspace('srgb')
      .raw({ depth: 'uchar' })
      .toBuffer({ resolveWithObject: true });
    const { channels } = info;
    const isWhole = data.length === width * height * numPages * channels;
    if (!isWhole || (channels !== 3 && channels !== 4)) throw new Error('unexpected shape');
    const frameBytes = width * height * channels;
    const frameAt = (index: number): Uint8Array =>
      data.subarray(index * frameBytes, (index + 1) * frameBytes);
    return await copyFrames(
      indices.map((index) => ({ data: frameAt(index), width, height, channels })),
      settings,
      signal,
    );
  } catch (error) {
    if (error instanceof SensoriumError) throw error;
    throw invalidMedia('video', 'is damaged and cannot be decoded', error);
  }
}

/** Copies, so that the memory of the frames that were not chosen is given back. */
async function copyFrames(
  frames: RawPixels[],
  settings: VideoSettings,
  signal: AbortSignal | undefined,
): Promise<Uint8Array[]> {
  const copies: Uint8Array[] = [];
  for (const frame of frames) {
    const { data } = await toRgbImage(frame, settings, signal);
    copies.push(data === frame.data ? new Uint8Array(data) : data);
    await nextTurn();
  }
  return copies;
}
