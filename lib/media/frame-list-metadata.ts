import { SensoriumError } from '../errors.js';
import type { VideoSampling } from '../processors/types.js';
import { isFps, MAX_FPS } from './media-option-rules.js';
import type { FrameListMetadata, VideoMetadata } from './types.js';
import type { VideoSettings } from './video-settings.js';

/** What came with a list of frames; the options of a request may say the same. */
export interface FrameListSource {
  fps?: number | undefined;
  metadata?: FrameListMetadata | undefined;
}

export interface DescribedFrameList {
  metadata: VideoMetadata;
  sampledFps: number;
}

/**
 * When the frames of a list are shown: by its own metadata, else the request's options. Without indices the list is the
 * whole clip; with them it is what was kept of one at the source's rate. Throws `invalid_value`.
 */
export function describeFrameList(
  numFrames: number,
  list: FrameListSource,
  settings: VideoSettings,
  defaults: VideoSampling,
): DescribedFrameList {
  const own = list.metadata ?? {};
  const options = settings.frameList ?? {};
  const fps = checkedFps(own.fps ?? settings.fps ?? list.fps ?? defaults.fps);
  const given = checkedIndices(own.framesIndices ?? options.framesIndices, numFrames);
  const framesIndices = given ?? [...Array(numFrames).keys()];
  const known = {
    total: checkedTotal(own.totalNumFrames ?? options.totalNumFrames, numFrames),
    duration: checkedDuration(own.duration ?? options.duration),
  };
  const total = known.total ?? Math.max(numFrames, ...framesIndices.map((index) => index + 1));
  return {
    metadata: { fps, totalNumFrames: total, duration: known.duration ?? total / fps, framesIndices },
    sampledFps: given === undefined && known.total === undefined ? fps : meanRate(framesIndices, fps, known),
  };
}

/** Frames a second over the whole clip where its length is known, else between the first and the last frame. */
function meanRate(
  indices: readonly number[],
  fps: number,
  known: { total: number | undefined; duration: number | undefined },
): number {
  if (known.total !== undefined) return (indices.length / known.total) * fps;
  if (known.duration !== undefined && known.duration > 0) return indices.length / known.duration;
  const distance = Math.max(...indices) - Math.min(...indices);
  return distance > 0 ? ((indices.length - 1) / distance) * fps : fps;
}

function invalid(name: string, reason: string): SensoriumError {
  return new SensoriumError('invalid_value', `The ${name} of a list of frames ${reason}.`);
}

function checkedFps(fps: number): number {
  if (!isFps(fps)) throw invalid('fps', `must be a number above 0 and at most ${MAX_FPS}`);
  return fps;
}

function checkedIndices(indices: readonly number[] | undefined, numFrames: number): number[] | undefined {
  if (indices === undefined) return undefined;
  const isIndex = (value: unknown): boolean => Number.isSafeInteger(value) && (value as number) >= 0;
  if (!Array.isArray(indices) || indices.length !== numFrames || !indices.every(isIndex)) {
    throw invalid('frames_indices', `must be ${numFrames} whole numbers of at least 0, one a frame`);
  }
  return (indices as number[]).slice();
}

function checkedTotal(total: number | undefined, numFrames: number): number | undefined {
  if (total !== undefined && !(Number.isSafeInteger(total) && total >= numFrames)) {
    throw invalid('total_num_frames', `must be a whole number of at least the ${numFrames} frames there are`);
  }
  return total;
}

function checkedDuration(duration: number | undefined): number | undefined {
  if (duration !== undefined && !(Number.isFinite(duration) && duration >= 0)) {
    throw invalid('duration', 'must be a number of seconds of at least 0');
  }
  return duration;
}
