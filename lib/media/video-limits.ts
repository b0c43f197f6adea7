import type { VideoSampling } from '../processors/types.js';
import { invalidMedia, tooLarge } from './failure.js';
import type { ItemLimit, MediaPolicy } from './types.js';
import { sampleFrames } from './video-sampling.js';
import type { FrameChoice, VideoSettings, VideoSpan } from './video-settings.js';

/** Frames of a clip that were chosen. */
export interface ChosenFrames {
  /** Source indices, ascending; the last may stand twice. */
  indices: number[];
  /** Frames of the source that the choice was made from. */
  numCandidates: number;
}

/** What bounds a choice. */
export interface FrameBounds {
  policy: MediaPolicy;
  itemLimit?: ItemLimit | undefined;
}

/**
 * Frames to keep of `total` at `fps`, within the span that was asked for. Throws `media_too_large` where they are more
 * than the policy or the limit of items allows, `invalid_video` where the span holds none.
 */
export function chooseFrames(
  total: number,
  fps: number,
  settings: VideoSettings,
  defaults: VideoSampling,
  bounds: FrameBounds,
): ChosenFrames {
  const [first, last] = spanOf(settings.span, total, fps);
  const numCandidates = last - first + 1;
  const within = withinLimit(defaults, bounds.itemLimit);
  const chosen = sampleFrames(numCandidates, fps, settings, within);
  const indices =
    settings.resampling === undefined
      ? chosen
      : resampled(chosen, numCandidates, fps, settings.resampling, within);
  checkNumFrames(indices.length, bounds);
  return { indices: indices.map((index) => first + index), numCandidates };
}

/** The usual number of frames follows the limit; what a request asks for beyond it is refused. */
function withinLimit(defaults: VideoSampling, limit: ItemLimit | undefined): VideoSampling {
  const most = limit?.num_frames;
  return most === undefined ? defaults : { ...defaults, maxFrames: Math.min(defaults.maxFrames, most) };
}

/** The processor's own choice among frames that were chosen before: to it they are a clip at a lower rate. */
function resampled(
  chosen: number[],
  total: number,
  fps: number,
  choice: FrameChoice,
  defaults: VideoSampling,
): number[] {
  const chosenFps = (chosen.length / total) * fps;
  return sampleFrames(chosen.length, chosenFps, choice, defaults).map((i) => chosen[i] as number);
}

/** First and last frame shown within the span. */
function spanOf(span: VideoSpan | undefined, total: number, fps: number): [first: number, last: number] {
  const { startS = 0, endS = Infinity } = span ?? {};
  const first = Math.ceil(startS * fps);
  const last = Math.min(total - 1, Math.floor(endS * fps));
  if (first > last) throw invalidMedia('video', 'has no frames between video_start and video_end');
  return [first, last];
}

function checkNumFrames(numFrames: number, { policy, itemLimit }: FrameBounds): void {
  const most = Math.min(policy.maxVideoFrames, itemLimit?.num_frames ?? Infinity);
  if (numFrames > most) {
    throw tooLarge('video', `has ${numFrames} frames to look at, more than the limit of ${most}`);
  }
}

/** Throws `media_too_large` for frames, or a list of them, beyond the limit that the server sets for one video. */
export function checkFrameLimit(
  { width, height, numFrames = 0 }: { width: number; height: number; numFrames?: number },
  limit: ItemLimit | undefined,
): void {
  if (width > (limit?.width ?? Infinity) || height > (limit?.height ?? Infinity)) {
    const most = `${limit?.width ?? 'any'} x ${limit?.height ?? 'any'}`;
    throw tooLarge('video', `has frames of ${width} x ${height} pixels, more than the limit of ${most}`);
  }
  if (numFrames > (limit?.num_frames ?? Infinity)) {
    throw tooLarge('video', `has ${numFrames} frames, more than the limit of ${limit?.num_frames}`);
  }
}

/** `numBytes`, which one clip may hold decoded: half of all media in flight. Throws `media_too_large`. */
export function checkedDecodedBytes(numBytes: number, policy: MediaPolicy): number {
  if (numBytes > policy.maxInFlightBytes / 2) {
    throw tooLarge(
      'video',
      'needs too much memory at this number of frames; ask for fewer with num_frames or fps',
    );
  }
  return numBytes;
}
