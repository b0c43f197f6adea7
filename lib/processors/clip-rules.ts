import type { NativeAddon } from '../native/addon.js';
import type { JsonObject } from './checkpoint-files.js';
import { clipSize, type ClipShape } from './clip-size.js';
import { askedSize, withRequestedLimits, type VisionRules } from './vision-rules.js';

/** How Qwen3-VL cuts clips: the limits of `clip` count the pixels of all frames, those of `frame` of each. */
export interface ClipRules {
  clip: VisionRules;
  frame: { minPixels?: number | undefined; maxPixels: number };
}

/** Share of a frame's least pixels that its most is never below, as in Qwen's own utilities. */
const LEAST_SHARE = 1.05;

/**
 * A checkpoint's rules for clips with a request's own: `size` holds for the whole clip, `min_pixels` and `max_pixels` for
 * each frame, `total_pixels` is what the frames share instead of the checkpoint's most. Throws `invalid_value`.
 */
export function withRequestedClipLimits(rules: VisionRules, options: JsonObject): ClipRules {
  const { min_pixels, max_pixels, ...others } = options;
  const frame = withRequestedLimits({ ...rules, minPixels: 1 }, { min_pixels, max_pixels });
  return {
    clip: withRequestedLimits(rules, others),
    frame: {
      minPixels: min_pixels === undefined || min_pixels === null ? undefined : frame.minPixels,
      maxPixels: frame.maxPixels,
    },
  };
}

/** The size that the frames of a clip are brought to. Throws `invalid_video`, and what the addon throws. */
export function sizeOfFrames(
  addon: NativeAddon,
  shape: ClipShape,
  { clip, frame }: ClipRules,
): { width: number; height: number } {
  const { width, height, numFrames } = shape;
  const { temporalPatchSize, asked } = clip;
  if (!clip.patch.doResize) return { width, height };
  if (asked?.size !== undefined) return askedSize(addon, asked.size, clip);
  const factor = clip.patchSize * clip.mergeSize;
  // Of frames that are seen together one counts.
  const maxPixels = asked?.totalPixels === undefined ? clip.maxPixels : asked.totalPixels * temporalPatchSize;
  const minPixels = Math.min(clip.minPixels, maxPixels);
  const fitting = clipSize(shape, { factor, temporalPatchSize, minPixels, maxPixels });
  const numPixels = fitting.width * fitting.height;
  const least = frame.minPixels ?? 1;
  if (numPixels >= least && numPixels <= frame.maxPixels) return fitting;
  const share = Math.max(Math.floor(maxPixels / numFrames), Math.trunc(least * LEAST_SHARE));
  const most = Math.max(least, Math.min(frame.maxPixels, share));
  return addon.smartResize(height, width, factor, least, most);
}
