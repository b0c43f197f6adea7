import type { VideoSettings } from './media-settings.js';

/** A processor's own sampling, used where a request is silent. */
export interface SamplingDefaults {
  fps: number;
  minFrames: number;
  maxFrames: number;
  /** Frame counts are multiples of this. */
  frameFactor: number;
}

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
 * Indices of the frames to keep of `total` at `sourceFps`, ascending.
 * `num_frames` spreads that many evenly (`fps` then only lowers it); otherwise the count follows from `fps`, clamped to
 * [minFrames, maxFrames, total] and floored to a multiple of the frame factor.
 */
export function sampleFrames(
  total: number,
  sourceFps: number,
  settings: VideoSettings,
  defaults: SamplingDefaults,
): number[] {
  if (settings.numFrames === 'all') return Array.from({ length: total }, (_, i) => i);
  if (settings.numFrames !== undefined) {
    const byRate = settings.fps === undefined ? total : Math.floor((total / sourceFps) * settings.fps);
    const count = Math.max(1, Math.min(settings.numFrames, total, byRate));
    return spread(count, total, Math.floor);
  }
  const { frameFactor } = defaults;
  const fps = settings.fps ?? defaults.fps;
  const most = settings.maxFrames ?? defaults.maxFrames;
  const least = Math.min(settings.minFrames ?? defaults.minFrames, most);
  const wanted = Math.min(clamp((total / sourceFps) * fps, least, most), total);
  // A clip shorter than the factor keeps what it has; the processor repeats its last frame.
  const count = Math.max(Math.floor(wanted / frameFactor) * frameFactor, Math.min(total, frameFactor));
  return spread(count, total, roundHalfEven);
}
