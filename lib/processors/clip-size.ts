import { SensoriumError } from '../errors.js';

/** Python's rounding: halves to the even neighbour. */
function roundHalfEven(value: number): number {
  const floor = Math.floor(value);
  if (value - floor !== 0.5) return Math.round(value);
  return floor % 2 === 0 ? floor : floor + 1;
}

const MAX_ASPECT_RATIO = 200;

/** A clip before it is resized. */
export interface ClipShape {
  numFrames: number;
  width: number;
  height: number;
}

/** What Qwen3-VL holds a clip to. */
export interface ClipLimits {
  /** Sides are multiples of this. */
  factor: number;
  temporalPatchSize: number;
  /** Limits of frames x width x height. */
  minPixels: number;
  maxPixels: number;
}

/**
 * The size that the frames of a clip are brought to. Source: Hugging Face's smart_resize of Qwen3VLVideoProcessor.
 * Throws `invalid_video` for frames more than 200 times as long as wide.
 */
export function clipSize(clip: ClipShape, limits: ClipLimits): { width: number; height: number } {
  const { factor, temporalPatchSize, minPixels, maxPixels } = limits;
  const numFrames = Math.max(clip.numFrames, temporalPatchSize);
  const { width, height } = withoutTinySides(clip, factor);
  if (Math.max(width, height) > MAX_ASPECT_RATIO * Math.min(width, height)) {
    const reason = `an aspect ratio above ${MAX_ASPECT_RATIO}`;
    throw new SensoriumError('invalid_video', `The video cannot be used: its frames have ${reason}.`);
  }
  const rounded = (side: number): number => roundHalfEven(side / factor) * factor;
  const depth = roundHalfEven(numFrames / temporalPatchSize) * temporalPatchSize;
  const numPixels = depth * rounded(height) * rounded(width);
  if (numPixels > maxPixels) {
    const scale = Math.sqrt((numFrames * height * width) / maxPixels);
    const shrunk = (side: number): number => Math.max(factor, Math.floor(side / scale / factor) * factor);
    return { width: shrunk(width), height: shrunk(height) };
  }
  if (numPixels < minPixels) {
    const scale = Math.sqrt(minPixels / (numFrames * height * width));
    const grown = (side: number): number => Math.ceil((side * scale) / factor) * factor;
    return { width: grown(width), height: grown(height) };
  }
  return { width: rounded(width), height: rounded(height) };
}

/** Frames with a side below `factor` are enlarged first. */
function withoutTinySides({ width, height }: ClipShape, factor: number): { width: number; height: number } {
  if (Math.min(width, height) >= factor) return { width, height };
  const scale = Math.max(factor / height, factor / width);
  return { width: Math.trunc(width * scale), height: Math.trunc(height * scale) };
}
