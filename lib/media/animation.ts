import sharp from 'sharp';
import type { DecodeContext } from './decode-context.js';
import { invalidMedia, nextTurn, throwIfAborted, tooLarge } from './failure.js';
import { readImageHeader, sharpOptions, type ImageHeader } from './image.js';
import type { VideoSettings } from './media-settings.js';
import type { DecodedVideo } from './types.js';
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
  const numBytes = header.width * header.height * 3 * total;
  await context.reserve(checkedDecodedBytes(numBytes, context.policy));
  throwIfAborted(context.signal);
  const { width, height } = header;
  return {
    kind: 'video',
    frames: await readPages(bytes, header, indices, settings),
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
): Promise<Uint8Array[]> {
  const numPixels = header.width * header.height;
  const options = sharpOptions({ maxImagePixels: numPixels * header.numPages });
  const pages = sharp(bytes, { ...options, pages: -1 });
  const [r, g, b] = settings.background ?? [255, 255, 255];
  const flat =
    settings.background === undefined ? pages.removeAlpha() : pages.flatten({ background: { r, g, b } });
  try {
    const { data, info } = await flat
      .toColourspace('srgb')
      .raw({ depth: 'uchar' })
      .toBuffer({ resolveWithObject: true });
    if (info.channels !== 3 || data.length !== numPixels * header.numPages * 3)
      throw new Error('unexpected shape');
    return await copyFrames(data, indices, numPixels * 3);
  } catch (error) {
    throw invalidMedia('video', 'is damaged and cannot be decoded', error);
  }
}

/** Copies, so that the memory of the frames that were not chosen is given back. */
async function copyFrames(pages: Uint8Array, indices: number[], frameBytes: number): Promise<Uint8Array[]> {
  const frames: Uint8Array[] = [];
  for (const index of indices) {
    frames.push(new Uint8Array(pages.subarray(index * frameBytes, (index + 1) * frameBytes)));
    await nextTurn();
  }
  return frames;
}
