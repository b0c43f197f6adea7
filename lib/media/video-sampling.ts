import type { VideoSampling } from '../processors/types.js';
import { allFrames, clamp, roundHalfEven, SAMPLERS, spread } from './video-samplers.js';
import type { FrameChoice } from './video-settings.js';

/**
 * The frame shown in the middle of each stretch of 1 / fps seconds; a middle between two frames takes the earlier one.
 * At most one index a frame.
 */
function constantRate(total: number, sourceFps: number, fps: number): number[] {
  const framesPerStretch = sourceFps / fps;
  const numStretches = Math.max(1, Math.round(total / framesPerStretch));
  if (numStretches >= total) return allFrames(total);
  return Array.from({ length: numStretches }, (_, i) =>
    clamp(Math.ceil((i + 0.5) * framesPerStretch) - 1, 0, total - 1),
  );
}

/**
 * Indices of the frames to keep of `total` at `sourceFps`, ascending. `nframes` spreads that many evenly in a multiple of
 * the frame factor. Else a named sampler decides alone. Else `num_frames` spreads that many (`fps` then only lowers it),
 * and otherwise the count follows from `fps`, held to [minFrames, maxFrames, total]: at a constant rate, or spread over
 * the clip in a multiple of the frame factor.
 */
export function sampleFrames(
  total: number,
  sourceFps: number,
  choice: FrameChoice,
  defaults: VideoSampling,
): number[] {
  const { numSpreadFrames } = choice;
  if (numSpreadFrames !== undefined && choice.numFrames === undefined)
    return spreadInSteps(numSpreadFrames, total, defaults);
  if (choice.sampler !== undefined)
    return SAMPLERS[choice.sampler]({ numFrames: total, fps: sourceFps }, choice);
  if (choice.numFrames === 'all' && choice.fps === undefined) return allFrames(total);
  if (typeof choice.numFrames === 'number')
    return SAMPLERS.opencv({ numFrames: total, fps: sourceFps }, choice);
  return sampleByRate(total, sourceFps, choice, defaults);
}

function spreadInSteps(wanted: number, total: number, { frameFactor }: VideoSampling): number[] {
  const rounded = Math.max(1, roundHalfEven(wanted / frameFactor)) * frameFactor;
  const most = Math.max(Math.floor(total / frameFactor) * frameFactor, Math.min(total, frameFactor));
  return spread(Math.min(rounded, most), total, roundHalfEven);
}

function sampleByRate(
  total: number,
  sourceFps: number,
  choice: FrameChoice,
  defaults: VideoSampling,
): number[] {
  const { frameFactor } = defaults;
  const fps = choice.fps ?? defaults.fps;
  const most = choice.maxFrames ?? defaults.maxFrames;
  const least = Math.min(choice.minFrames ?? defaults.minFrames, most);
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
