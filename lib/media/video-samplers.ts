import type { FrameChoice } from './video-settings.js';

/** A clip as the samplers see it. */
export interface SampledClip {
  numFrames: number;
  /** Frames per second of the source. */
  fps: number;
}

/** Frames that the uniform sampler takes where neither a number nor a rate is asked for. */
const UNIFORM_FRAMES = 32;
const DEFAULT_FPS = 2;
const DEFAULT_MAX_DURATION_S = 300;
const QWEN_MIN_FRAMES = 4;
const QWEN_MAX_FRAMES = 768;
const GLM_MAX_FRAMES = 640;
const GLM_MAX_DURATION_S = 2400;
const GLM_FRAMES_PER_STEP = 2;

/** Half-even, as numpy rounds. */
export function roundHalfEven(value: number): number {
  const floor = Math.floor(value);
  const fraction = value - floor;
  if (fraction !== 0.5) return Math.round(value);
  return floor % 2 === 0 ? floor : floor + 1;
}

export function clamp(value: number, least: number, most: number): number {
  return Math.min(Math.max(value, least), most);
}

/** `count` whole numbers spread evenly from `start` to `end`, both included; one alone is `start`. */
export function spreadBetween(
  start: number,
  end: number,
  count: number,
  round: (value: number) => number,
): number[] {
  const step = count > 1 ? (end - start) / (count - 1) : 0;
  // The last is set, not computed: its product may fall just below it.
  return Array.from({ length: count }, (_, i) =>
    i > 0 && i === count - 1 ? end : Math.min(end, round(start + i * step)),
  );
}

/** `count` indices spread evenly from 0 to `total - 1`. */
export function spread(count: number, total: number, round: (value: number) => number): number[] {
  return spreadBetween(0, total - 1, count, round);
}

export const allFrames = (total: number): number[] => [...Array(total).keys()];

const unique = (indices: number[]): number[] => [...new Set(indices)];

/** `opencv`: a number of frames, lowered by a rate, spread evenly and rounded down. */
function uniform({ numFrames: total, fps: sourceFps }: SampledClip, choice: FrameChoice): number[] {
  const { fps, numFrames, minFrames = 1, maxFrames = total } = choice;
  const usual = fps === undefined ? UNIFORM_FRAMES : total;
  const asked = numFrames === 'all' ? total : (numFrames ?? usual);
  const byRate = fps === undefined ? total : Math.floor((total / sourceFps) * fps);
  const count = Math.min(asked, byRate, maxFrames);
  return spread(clamp(count, Math.min(minFrames, maxFrames), total), total, Math.floor);
}

/** `qwen3_vl`: a rate, held to [min, max] frames, spread evenly and rounded half-even. */
function qwen3Vl({ numFrames: total, fps: sourceFps }: SampledClip, choice: FrameChoice): number[] {
  const { fps = DEFAULT_FPS, maxFrames = QWEN_MAX_FRAMES } = choice;
  const minFrames = Math.min(choice.minFrames ?? QWEN_MIN_FRAMES, maxFrames);
  const wanted = clamp(Math.trunc((total / sourceFps) * fps), minFrames, maxFrames);
  return spread(Math.min(wanted, total), total, roundHalfEven);
}

/** `qwen2_vl`: a rate in a multiple of the temporal patch, at even steps that start with the first frame. */
function qwen2Vl({ numFrames: total, fps: sourceFps }: SampledClip, choice: FrameChoice): number[] {
  const { fps = DEFAULT_FPS, maxFrames = QWEN_MAX_FRAMES, temporalPatchSize: factor = 2 } = choice;
  const most = Math.floor(Math.min(maxFrames, total) / factor) * factor;
  const least = Math.min(choice.minFrames ?? QWEN_MIN_FRAMES, most);
  const wanted = Math.floor(clamp((total / sourceFps) * fps, least, most) / factor) * factor;
  // A clip shorter than the patch keeps what it has; the processor repeats its last frame.
  const count = Math.max(wanted, Math.min(total, factor));
  const step = total / count;
  return Array.from({ length: count }, (_, i) => Math.min(total - 1, Math.trunc(Math.fround(i * step))));
}

/** `opencv_dynamic`: the frame at or after each 1 / fps seconds; of long clips as many as `max_duration` seconds have. */
function dynamic({ numFrames: total, fps: sourceFps }: SampledClip, choice: FrameChoice): number[] {
  const { fps = DEFAULT_FPS, maxDurationS = DEFAULT_MAX_DURATION_S, maxFrames = total } = choice;
  const duration = total / sourceFps;
  const isShort = duration <= maxDurationS;
  const numSteps = Math.max(1, Math.floor(isShort ? duration * fps : maxDurationS * fps));
  if (!isShort && numSteps >= total) return thinned(allFrames(total), maxFrames);
  const step = duration / Math.max(1, numSteps - 1);
  const indices: number[] = [];
  for (let i = 0; i < numSteps && indices.at(-1) !== total - 1; i++) {
    const index = Math.min(total - 1, Math.ceil(isShort ? (i * sourceFps) / fps : i * step * sourceFps));
    if (index !== indices.at(-1)) indices.push(index);
  }
  return thinned(indices, maxFrames);
}

function thinned(indices: number[], most: number): number[] {
  if (indices.length <= most) return indices;
  return spread(most, indices.length, Math.floor).map((i) => indices[i] as number);
}

/** Frames per second, and the most of them, that a GLM processor looks at. */
interface GlmPace {
  fps: number;
  maxFrames: number;
}

/** The first frame at or after each step of time, brought to the wanted number, without repetitions. */
function glmWalk({ numFrames: total, fps: sourceFps }: SampledClip, { fps, maxFrames }: GlmPace): number[] {
  const duration = total / sourceFps;
  const perSecond = fps * GLM_FRAMES_PER_STEP;
  const wanted = Math.min(Math.trunc(Math.min(duration, GLM_MAX_DURATION_S) * perSecond), maxFrames);
  const indices: number[] = [];
  if (total >= wanted) {
    let nextS = 0;
    for (let i = 0; i < total && (i === 0 || nextS < Math.trunc(duration)); i++) {
      if (i * (1 / sourceFps) < nextS) continue;
      nextS += 1 / perSecond;
      indices.push(i);
    }
  }
  const count = Math.max(1, wanted);
  if (indices.length === count) return indices;
  const end = indices.length > 0 && indices.length < count ? (indices.at(-1) as number) : total - 1;
  return unique(spreadBetween(0, end, count, Math.floor));
}

const evened = (indices: number[]): number[] =>
  indices.length % 2 === 0 ? indices : [...indices, indices.at(-1) as number];

/** `glm46v`: the longer the clip, the fewer frames a second; an even number of them. */
function glm46v(clip: SampledClip, { maxFrames = GLM_MAX_FRAMES }: FrameChoice): number[] {
  const duration = Math.min(clip.numFrames / clip.fps, GLM_MAX_DURATION_S);
  const fps = duration <= 30 ? 3 : duration <= 300 ? 1 : 0.5;
  return evened(glmWalk(clip, { fps, maxFrames: Math.min(maxFrames, GLM_MAX_FRAMES) }));
}

/** `glmga`: the same walk at a rate of its own. */
function glmga(clip: SampledClip, { fps = DEFAULT_FPS, maxFrames = GLM_MAX_FRAMES }: FrameChoice): number[] {
  return evened(glmWalk(clip, { fps, maxFrames }));
}

/**
 * Samplers that `video_backend` names: indices of the frames to keep, ascending; the last may stand twice, where the
 * sampler promises an even number. All are non-empty for a clip of at least one frame at a rate above 0.
 */
export const SAMPLERS = {
  opencv: uniform,
  qwen2_vl: qwen2Vl,
  qwen3_vl: qwen3Vl,
  opencv_dynamic: dynamic,
  glm46v,
  glmga,
} as const satisfies Record<string, (clip: SampledClip, choice: FrameChoice) => number[]>;

export type SamplerName = keyof typeof SAMPLERS;

export const SAMPLER_NAMES = Object.keys(SAMPLERS) as SamplerName[];

export function isSamplerName(value: unknown): value is SamplerName {
  return typeof value === 'string' && Object.hasOwn(SAMPLERS, value);
}
