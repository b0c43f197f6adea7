import { SensoriumError } from '../errors.js';
import type { DecodedImage, DecodedVideo } from '../media/types.js';
import type { NativeAddon, NativeMedia, NativePatchOptions } from '../native/addon.js';
import { invalidFile, numberAt, objectAt, type JsonObject } from './checkpoint-files.js';
import { withNativeErrors, withNativeErrorsNow } from './native-error.js';
import type { FrameResizer, ProcessedItem, VideoSampling } from './types.js';

const CLIP_MEAN = [0.48145466, 0.4578275, 0.40821073];
const CLIP_STD = [0.26862954, 0.26130258, 0.27577711];
/** Limits of Qwen2VLImageProcessor where a checkpoint names none. */
const DEFAULT_MIN_PIXELS = 56 * 56;
const DEFAULT_MAX_PIXELS = 28 * 28 * 1280;
/** Largest limit that a request may ask for where the checkpoint's own is smaller: 16384 merged cells. */
const MAX_REQUESTED_PIXELS = 28 * 28 * 16384;
const FILTERS: Record<number, NativePatchOptions['filter']> = { 1: 'lanczos', 2: 'bilinear', 3: 'bicubic' };

/** How a Qwen2-VL style processor cuts pictures: one for images, one for videos. */
export interface VisionRules {
  patchSize: number;
  temporalPatchSize: number;
  mergeSize: number;
  /** Limits of width x height after resizing. */
  minPixels: number;
  maxPixels: number;
  patch: Omit<NativePatchOptions, 'width' | 'height'>;
  /** What a request asks for beyond the limits. */
  asked?: AskedSize | undefined;
}

interface AskedSize {
  /** Pixels that all frames of a clip share. */
  totalPixels?: number | undefined;
  /** Size of every picture, before it is rounded to whole merged cells. */
  size?: { width: number; height: number } | undefined;
}

interface PixelLimits {
  minPixels: number | undefined;
  maxPixels: number | undefined;
}

/** `min_pixels`/`max_pixels`, or `size` with the same names or as edges: for these processors those count pixels too. */
function readPixelLimits(options: JsonObject): PixelLimits {
  const size = objectAt(options, 'size') ?? {};
  return {
    minPixels: numberAt(options, 'min_pixels') ?? numberAt(size, 'min_pixels', 'shortest_edge'),
    maxPixels: numberAt(options, 'max_pixels') ?? numberAt(size, 'max_pixels', 'longest_edge'),
  };
}

/** Rules from a processor's config file called `name`. Throws `invalid_checkpoint`. */
export function readVisionRules(config: JsonObject, name: string): VisionRules {
  const patchSize = wholeAt(config, 'patch_size', 14, name);
  const temporalPatchSize = wholeAt(config, 'temporal_patch_size', 2, name);
  const mergeSize = wholeAt(config, 'merge_size', 2, name);
  const { minPixels = DEFAULT_MIN_PIXELS, maxPixels = DEFAULT_MAX_PIXELS } = readPixelLimits(config);
  if (!(minPixels > 0) || !(maxPixels >= minPixels))
    throw invalidFile(name, 'has no valid min_pixels and max_pixels');
  const filter = FILTERS[numberAt(config, 'resample') ?? 3];
  if (filter === undefined) throw invalidFile(name, 'names a resample filter that is not supported');
  return {
    patchSize,
    temporalPatchSize,
    mergeSize,
    minPixels,
    maxPixels,
    patch: {
      patchSize,
      temporalPatchSize,
      mergeSize,
      mean: tripleAt(config, 'image_mean', CLIP_MEAN, name),
      std: tripleAt(config, 'image_std', CLIP_STD, name),
      filter,
      doResize: config['do_resize'] !== false,
      doRescale: config['do_rescale'] !== false,
      doNormalize: config['do_normalize'] !== false,
      rescaleFactor: numberAt(config, 'rescale_factor') ?? 1 / 255,
    },
  };
}

function wholeAt(config: JsonObject, key: string, fallback: number, name: string): number {
  const value = numberAt(config, key) ?? fallback;
  if (!Number.isInteger(value) || value < 1 || value > 1024) throw invalidFile(name, `has no valid ${key}`);
  return value;
}

function tripleAt(
  config: JsonObject,
  key: string,
  fallback: number[],
  name: string,
): [number, number, number] {
  const value = config[key] ?? fallback;
  const isTriple = Array.isArray(value) && value.length === 3 && value.every((x) => Number.isFinite(x));
  if (!isTriple) throw invalidFile(name, `has no valid ${key}`);
  return value as [number, number, number];
}

/** The rules with a request's own limits and sizes (`min_pixels`, `total_pixels`, `resized_height`, ...). Throws `invalid_value`. */
export function withRequestedLimits(rules: VisionRules, options: JsonObject): VisionRules {
  const most = Math.max(rules.maxPixels, MAX_REQUESTED_PIXELS);
  const size = objectAt(options, 'size') ?? {};
  const minAsked = options['min_pixels'] ?? size['min_pixels'] ?? size['shortest_edge'];
  const maxAsked = options['max_pixels'] ?? size['max_pixels'] ?? size['longest_edge'];
  const minPixels = requestedPixels('min_pixels', minAsked, most);
  const maxPixels = requestedPixels('max_pixels', maxAsked, most);
  if (minPixels !== undefined && maxPixels !== undefined && minPixels > maxPixels) {
    throw new SensoriumError('invalid_value', 'min_pixels must not be above max_pixels.');
  }
  // One limit alone moves the other out of its way.
  return {
    ...rules,
    patch: { ...rules.patch, doResize: requestedResizing(options) ?? rules.patch.doResize },
    minPixels: minPixels ?? Math.min(rules.minPixels, maxPixels ?? Infinity),
    maxPixels: maxPixels ?? Math.max(rules.maxPixels, minPixels ?? 0),
    asked: {
      totalPixels: requestedPixels('total_pixels', options['total_pixels'], Number.MAX_SAFE_INTEGER),
      size: requestedSize(options, most),
    },
  };
}

function requestedResizing({ do_resize: doResize }: JsonObject): boolean | undefined {
  if (isAbsent(doResize)) return undefined;
  if (typeof doResize === 'boolean') return doResize;
  throw new SensoriumError('invalid_value', 'do_resize must be a boolean.');
}

function requestedSize(options: JsonObject, maxPixels: number): AskedSize['size'] {
  const { resized_height: height, resized_width: width } = options;
  if (isAbsent(height) && isAbsent(width)) return undefined;
  const isSide = (value: unknown): value is number => Number.isInteger(value) && (value as number) >= 1;
  if (!isSide(height) || !isSide(width) || height * width > maxPixels) {
    const reason = `must both be whole numbers of at least 1, of ${maxPixels} pixels together at most`;
    throw new SensoriumError('invalid_value', `resized_height and resized_width ${reason}.`);
  }
  return { width, height };
}

const isAbsent = (value: unknown): boolean => value === undefined || value === null;

function requestedPixels(name: string, value: unknown, most: number): number | undefined {
  if (isAbsent(value)) return undefined;
  if (!Number.isInteger(value) || (value as number) < 1 || (value as number) > most) {
    throw new SensoriumError('invalid_value', `${name} must be a whole number from 1 to ${most}.`);
  }
  return value as number;
}

/** Rows the language model sees of a patch grid. */
function numMergedTokens(media: NativeMedia, rules: VisionRules): number {
  const [t, h, w] = media.grid;
  return (t * h * w) / (rules.mergeSize * rules.mergeSize);
}

/** Share of a clip's pixels above its least that the usual processors of Qwen's models keep for each frame. */
const LEAST_SHARE = 1.05;

/** The most pixels of one frame: an equal share of what the clip may have, within the limits of a picture. */
function maxFramePixels(rules: VisionRules, numFrames: number): number {
  const { minPixels, maxPixels, temporalPatchSize, asked } = rules;
  if (asked?.totalPixels === undefined) return maxPixels;
  const share = (asked.totalPixels / numFrames) * temporalPatchSize;
  const least = Math.trunc(minPixels * LEAST_SHARE);
  return Math.floor(Math.min(maxPixels, Math.max(share, least)));
}

/** The size that pictures are brought to: what was asked for, else what fits the limits; in whole merged cells. */
function resizedSize(
  addon: NativeAddon,
  { width, height }: { width: number; height: number },
  rules: VisionRules,
  numFrames: number,
): { width: number; height: number } {
  if (!rules.patch.doResize) return { width, height };
  const factor = rules.patchSize * rules.mergeSize;
  const size = rules.asked?.size;
  if (size !== undefined) return askedSize(addon, size, rules);
  const maxPixels = Math.max(rules.minPixels, maxFramePixels(rules, numFrames));
  return addon.smartResize(height, width, factor, rules.minPixels, maxPixels);
}

/** A size that was asked for, in whole merged cells. */
export function askedSize(
  addon: NativeAddon,
  { width, height }: { width: number; height: number },
  rules: VisionRules,
): { width: number; height: number } {
  const factor = rules.patchSize * rules.mergeSize;
  const most = Math.max(rules.maxPixels, MAX_REQUESTED_PIXELS);
  return addon.smartResize(height, width, factor, factor * factor, most);
}

function patchOptions(
  addon: NativeAddon,
  size: { width: number; height: number },
  rules: VisionRules,
  numFrames = 1,
): NativePatchOptions {
  return { ...rules.patch, ...resizedSize(addon, size, rules, numFrames) };
}

/** What makes frames of `size` smaller by these rules; undefined where they do not become smaller. Throws `invalid_video`. */
export function createFrameResizer(
  addon: NativeAddon,
  size: { width: number; height: number },
  rules: VisionRules,
  numFrames: number,
): FrameResizer | undefined {
  return frameResizerTo(addon, size, rules.patch, (frame) => resizedSize(addon, frame, rules, numFrames));
}

/**
 * What brings frames of `size` to what `sizeOf` says; undefined where they do not become smaller, or would be resized once
 * more after that. Throws `invalid_video`.
 */
export function frameResizerTo(
  addon: NativeAddon,
  size: { width: number; height: number },
  { filter }: VisionRules['patch'],
  sizeOf: (frame: { width: number; height: number }) => { width: number; height: number },
): FrameResizer | undefined {
  const [target, again] = withNativeErrorsNow('video', () => {
    const first = sizeOf(size);
    return [first, sizeOf(first)];
  });
  const { width, height } = target;
  const isSmaller = width * height < size.width * size.height;
  if (!isSmaller || again.width !== width || again.height !== height) return undefined;
  const resize = (frame: Uint8Array): Promise<Uint8Array> =>
    withNativeErrors('video', async () =>
      addon.resizeRgb(frame, size.width, size.height, { width, height, filter }),
    );
  return { width, height, resize };
}

/** Patches of one picture. Throws `invalid_image`, `invalid_value`. */
export async function processImage(
  addon: NativeAddon,
  image: DecodedImage,
  rules: VisionRules,
): Promise<ProcessedItem> {
  const media = await withNativeErrors('image', async () =>
    addon.patchifyImage(image.data, image.width, image.height, patchOptions(addon, image, rules)),
  );
  return { modality: 'image', media, numTokens: numMergedTokens(media, rules), sizeBytes: media.sizeBytes };
}

/** Patches of a sampled clip, without its sound. Throws `invalid_video`, `invalid_value`. */
export async function processVideo(
  addon: NativeAddon,
  video: DecodedVideo,
  rules: VisionRules,
): Promise<ProcessedItem> {
  const secondsPerGrid = rules.temporalPatchSize / video.sampledFps;
  const { frames, width, height } = video;
  const media = await withNativeErrors('video', async () =>
    addon.patchifyVideo(
      frames,
      width,
      height,
      secondsPerGrid,
      patchOptions(addon, video, rules, frames.length),
    ),
  );
  const numTokens = numMergedTokens(media, rules);
  return { modality: 'video', media, numTokens, sizeBytes: media.sizeBytes, secondsPerGrid };
}

/** A video processor's own sampling; where the checkpoint states no rate, the family's. */
export function readVideoSampling(config: JsonObject, frameFactor: number): VideoSampling {
  const fps = numberAt(config, 'fps');
  return {
    fps: fps ?? 2,
    minFrames: numberAt(config, 'min_frames') ?? 4,
    maxFrames: numberAt(config, 'max_frames') ?? 768,
    frameFactor,
    isConstantRate: fps !== undefined,
  };
}
