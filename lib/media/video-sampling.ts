import type { VideoSampling } from '../processors/types.js';
import type { VideoSettings } from './media-settings.js';

/** Half-even, as numpy rounds. */
function roundHalfEven(value: number): number {
  const floor = Math.floor(value);
  const fraction = value - floor;
  if (fraction !== 0.5) return Math.round(value);
  return floor % 2 === 0 ? floor : floor + 1;
}

function clamp(value: number, least: number, most: number): number {
  return Math.min(Math.max(value, least), most);
}

/** `count` indices spread evenly from 0 to `total - 1`. */
function spread(count: number, total: number, round: (value: number) => number): number[] {
  if (count === 1) return [0];
  const step = (total - 1) / (count - 1);
  return Array.from({ length: count }, (_, i) => Math.min(total - 1, round(i * step)));
}

/**
 * The frame shown in the middle of each stretch of 1 / fps seconds; a middle between two frames takes the earlier one.
 * At most one index a frame.
 */
function constantRate(total: number, sourceFps: number, fps: number): number[] {
  const framesPerStretch = sourceFps / fps;
  const numStretches = Math.max(1, Math.round(total / framesPerStretch));
  if (numStretches >= total) return spread(total, total, Math.round);
  return Array.from({ length: numStretches }, (_, i) =>
    clamp(Math.ceil((i + 0.5) * framesPerStretch) - 1, 0, total - 1),
  );
}

/**
 * Indices of the frames to keep of `total` at `sourceFps`, ascending.
 * `num_frames` spreads that many evenly (`fps` then only lowers it). Otherwise the count follows from `fps`, held to
 * [minFrames, maxFrames, total]: at a constant rate, or spread over the clip in a multiple of the frame factor.
 */
export function sampleFrames(
  total: number,
  sourceFps: number,
  settings: VideoSettings,
  defaults: VideoSampling,
): number[] {
  if (settings.numFrames === 'all') return spread(total, total, Math.round);
  const fps = settings.fps ?? defaults.fps;
  if (settings.numFrames !== undefined) {
    const byRate = settings.fps === undefined ? total : Math.floor((total / sourceFps) * fps);
    return spread(Math.max(1, Math.min(settings.numFrames, total, byRate)), total, Math.floor);
  }
  const { frameFactor } = defaults;
  const most = settings.maxFrames ?? defaults.maxFrames;
  const least = Math.min(settings.minFrames ?? defaults.minFrames, most);
  if (defaults.isConstantRate) {
    const indices = constantRate(total, sourceFps, fps);
    const count = Math.min(clamp(indices.length, least, most), total);
    if (count > indices.length) return spread(count, total, roundHalfEven);
    return spread(count, indices.length, roundHalfEven).map((i) => indices[i] as number);
  }
  const wanted = Math.min(clamp((total / sourceFps) * fps, least, most), total);
  // A clip shorter than the factor keeps what it has; the processor repeats its last frame.
  const count = Math.max(Math.floor(wanted / frameFactor) * frameFactor, Math.min(total, frameFactor));
  return spread(count, total, roundHalfEven);
}
