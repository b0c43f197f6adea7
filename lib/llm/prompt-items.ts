import { isPositiveInteger, isSampleArray, isShaped, isSharpImage, isSoundTuple } from '../chat/raw-media.js';
import { isFramesTuple } from '../chat/frames-source.js';
import { sniffFormat, type MediaFormat } from '../media/sniff.js';
import type { Modality } from '../media/types.js';

/** Formats that hold one picture; GIF, WebP and animated PNG may be films. */
const PICTURE_FORMATS: readonly (MediaFormat | undefined)[] = ['jpeg', 'png', 'bmp', 'tiff', 'avif'];
const PICTURE_NAME = /\.(jpe?g|png|bmp|tiff?|avif)$/i;
const PICTURE_DATA = /^data:image\/(?!gif|webp|apng)/i;

/** Whether an entry of a list can only be one picture, told by its type, its first bytes or its name. */
function isPicture(entry: unknown): boolean {
  if (entry instanceof Uint8Array) return PICTURE_FORMATS.includes(sniffFormat(entry));
  if (entry instanceof URL) return PICTURE_NAME.test(entry.pathname);
  if (typeof entry === 'string') return PICTURE_DATA.test(entry) || PICTURE_NAME.test(entry);
  if (typeof entry !== 'object' || entry === null) return false;
  if (isSharpImage(entry)) return true;
  if (isShaped(entry)) return entry.shape.length < 4;
  return 'data' in entry && ('width' in entry || 'info' in entry);
}

/** Arrays of one dimension more than an item of their modality: `[items, ...]`, each cut out without a copy. */
function splitArray(value: unknown, itemRank: number): unknown[] | undefined {
  if (!isShaped(value) || value.shape.length !== itemRank + 1) return undefined;
  if (!value.shape.every(isPositiveInteger)) return undefined;
  const [numItems = 0, ...shape] = value.shape;
  const { data } = value;
  if (!(data instanceof Uint8Array || data instanceof Uint8ClampedArray)) return undefined;
  const size = shape.reduce((product, extent) => product * extent, 1);
  if (data.length !== numItems * size) return undefined;
  return Array.from({ length: numItems }, (_, i) => ({
    data: data.subarray(i * size, (i + 1) * size),
    shape,
  }));
}

/** Whether a list is one video: frames with what is known of their clip, or nothing but pictures. */
const isOneVideo = (list: unknown[]): boolean =>
  isFramesTuple(list) || (list.length > 0 && list.every(isPicture));
const isOneSound = (list: unknown[]): boolean =>
  isSoundTuple(list) || (list.length > 0 && isSampleArray(list));

/**
 * The items of one modality of `multiModalData`: a list of them, or one that may itself be written as a list
 * (`[samples, samplingRate]`, a list of numbers, a list of frames, `[frames, metadata]`), or an 8-bit array of several.
 */
export function listItems(value: unknown, modality: Modality): unknown[] {
  if (!Array.isArray(value)) {
    const rank = { image: 3, video: 4, audio: Infinity }[modality];
    return splitArray(value, rank) ?? [value];
  }
  const list = value as unknown[];
  if (modality === 'image') return list;
  const isOne = modality === 'video' ? isOneVideo(list) : isOneSound(list);
  return isOne ? [list] : list;
}
