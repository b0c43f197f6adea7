import type { DecodedImage, DecodedVideo } from '../media/types.js';
import type { NativeAddon, NativeMedia, NativePatchOptions, NativeViewRules } from '../native/addon.js';
import {
  invalidFile,
  numberAt,
  objectAt,
  type CheckpointFiles,
  type JsonObject,
} from './checkpoint-files.js';
import { withNativeErrors } from './native-error.js';

const FILTERS: Record<number, NativePatchOptions['filter']> = { 1: 'lanczos', 2: 'bilinear', 3: 'bicubic' };

export const CLIP_COLOURS: Colours = {
  mean: [0.48145466, 0.4578275, 0.40821073],
  std: [0.26862954, 0.26130258, 0.27577711],
};
export const SIGLIP_COLOURS: Colours = { mean: [0.5, 0.5, 0.5], std: [0.5, 0.5, 0.5] };

type Triple = [number, number, number];

interface Colours {
  mean: Triple;
  std: Triple;
}

export interface Size {
  width: number;
  height: number;
}

/** Numbers that turn 8-bit pixels into a tower's patches. */
export type PatchRules = Omit<NativePatchOptions, 'width' | 'height'>;

/** The vision tower's picture and patch, in pixels. */
export interface TowerSize {
  imageSize: number;
  patchSize: number;
}

/** Class defaults of CLIPVisionConfig and SiglipVisionConfig. */
const CLIP_TOWER: TowerSize = { imageSize: 224, patchSize: 32 };
const SIGLIP_TOWER: TowerSize = { imageSize: 224, patchSize: 16 };

/**
 * Sizes from config.json's vision_config, of which files leave out what is its class's default; without a vision_config,
 * `defaults`. Throws `invalid_checkpoint`.
 */
export function readTowerSize({ config }: CheckpointFiles, defaults: TowerSize): TowerSize {
  const vision = objectAt(config, 'vision_config');
  const ofClass = vision?.['model_type'] === 'siglip_vision_model' ? SIGLIP_TOWER : CLIP_TOWER;
  const usual = vision === undefined ? defaults : ofClass;
  const imageSize = numberAt(vision ?? {}, 'image_size') ?? usual.imageSize;
  const patchSize = numberAt(vision ?? {}, 'patch_size') ?? usual.patchSize;
  if (!isSide(patchSize) || !isSide(imageSize) || patchSize > imageSize)
    throw invalidFile('config.json', 'has no valid image_size and patch_size in vision_config');
  return { imageSize, patchSize };
}

export const isSide = (value: unknown): value is number =>
  Number.isInteger(value) && (value as number) >= 1 && (value as number) <= 65_535;

/** Patch rules from a processor's config file called `name`. Throws `invalid_checkpoint`. */
export function readPatchRules(
  config: JsonObject,
  name: string,
  patchSize: number,
  { mean, std }: Colours,
  usualResample = 3,
): PatchRules {
  const filter = FILTERS[numberAt(config, 'resample') ?? usualResample];
  if (filter === undefined) throw invalidFile(name, 'names a resample filter that is not supported');
  return {
    patchSize,
    temporalPatchSize: 1,
    mergeSize: 1,
    mean: readTriple(config, ['image_mean', 'norm_mean'], mean, name),
    std: readTriple(config, ['image_std', 'norm_std'], std, name),
    filter,
    doResize: true,
    doRescale: config['do_rescale'] !== false,
    doNormalize: config['do_normalize'] !== false,
    rescaleFactor: numberAt(config, 'rescale_factor') ?? 1 / 255,
  };
}

function readTriple(config: JsonObject, keys: string[], fallback: Triple, name: string): Triple {
  const value =
    keys.map((key) => config[key]).find((entry) => entry !== undefined && entry !== null) ?? fallback;
  const isTriple = Array.isArray(value) && value.length === 3 && value.every((x) => Number.isFinite(x));
  if (!isTriple) throw invalidFile(name, `has no valid ${keys[0]}`);
  return value as Triple;
}

/** A size as `{ height, width }`, as one number, or undefined. */
export function readSize(value: unknown): Size | undefined {
  if (isSide(value)) return { width: value, height: value };
  if (typeof value !== 'object' || value === null) return undefined;
  const { height, width } = value as JsonObject;
  return isSide(height) && isSide(width) ? { height, width } : undefined;
}

/** Levels of a colour that is stated in [0, 1]. */
export const toLevels = (mean: Triple): Triple => mean.map((value) => Math.trunc(value * 255)) as Triple;

/** Throws `invalid_image`. */
export async function viewImage(
  addon: NativeAddon,
  { data, width, height }: DecodedImage,
  views: NativeViewRules,
  patches: PatchRules,
): Promise<NativeMedia> {
  return await withNativeErrors('image', async () =>
    addon.patchifyViews([data], width, height, 'image', views, patches),
  );
}

/** Throws `invalid_video`. */
export async function viewVideo(
  addon: NativeAddon,
  { frames, width, height }: DecodedVideo,
  views: NativeViewRules,
  patches: PatchRules,
): Promise<NativeMedia> {
  return await withNativeErrors('video', async () =>
    addon.patchifyViews(frames, width, height, 'video', views, patches),
  );
}
