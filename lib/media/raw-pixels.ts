import { invalidMedia, nextTurn, throwIfAborted, tooLarge } from './failure.js';
import type { ImageSettings } from './media-settings.js';
import type { DecodedImage, MediaPolicy, RawPixels } from './types.js';

const PIXELS_PER_TURN = 64 * 1024;

/** Holds pixels that a caller gave to the limits of encoded pictures. Throws `invalid_image`, `media_too_large`. */
export function checkPixels({ data, width, height, channels }: RawPixels, policy: MediaPolicy): void {
  if (width * height > policy.maxImagePixels) {
    throw tooLarge(
      'image',
      `has ${width} x ${height} pixels, more than the limit of ${policy.maxImagePixels}`,
    );
  }
  if (data.length !== width * height * channels) {
    throw invalidMedia('image', `does not hold ${height} x ${width} x ${channels} bytes`);
  }
}

/** Where the levels of a pixel lie in its array. */
interface PixelLayout {
  data: Uint8Array;
  pixelStride: number;
  /** From one of red, green and blue to the next; 0 for grey. */
  colorStride: number;
  /** From a pixel's first level to its alpha. */
  alphaOffset: number | undefined;
}

function layoutOf({ data, width, height, channels, isPlanar }: RawPixels): PixelLayout {
  const channelStride = isPlanar ? width * height : 1;
  return {
    data,
    pixelStride: isPlanar ? 1 : channels,
    colorStride: channels < 3 ? 0 : channelStride,
    alphaOffset: channels % 2 === 0 ? (channels - 1) * channelStride : undefined,
  };
}

/**
 * Pixels as RGB: grey spread to three channels, alpha composited over the background with Pillow's rounding, or dropped
 * where there is no background. Interleaved RGB is taken as it is, without a copy.
 */
export async function toRgbImage(
  pixels: RawPixels,
  settings: ImageSettings,
  signal?: AbortSignal,
): Promise<DecodedImage> {
  const { data, width, height, channels, isPlanar } = pixels;
  if (channels === 3 && !isPlanar) return { kind: 'image', data, width, height };
  const layout = layoutOf(pixels);
  if (settings.background === undefined) layout.alphaOffset = undefined;
  const numPixels = width * height;
  const rgb = new Uint8Array(numPixels * 3);
  for (let start = 0; start < numPixels; start += PIXELS_PER_TURN) {
    if (start > 0) await nextTurn();
    throwIfAborted(signal);
    const end = Math.min(numPixels, start + PIXELS_PER_TURN);
    if (layout.alphaOffset === undefined) copyColors(layout, rgb, start, end);
    else compose(layout, layout.alphaOffset, settings.background ?? [0, 0, 0], rgb, start, end);
  }
  return { kind: 'image', data: rgb, width, height };
}

function copyColors(layout: PixelLayout, rgb: Uint8Array, start: number, end: number): void {
  const { data, pixelStride, colorStride } = layout;
  for (let from = start * pixelStride, to = start * 3; to < end * 3; from += pixelStride, to += 3) {
    rgb[to] = data[from] as number;
    rgb[to + 1] = data[from + colorStride] as number;
    rgb[to + 2] = data[from + 2 * colorStride] as number;
  }
}

/** `level` over `ground`: the sum of both by their shares, divided by 255 and rounded to the nearest, in integers. */
function over(level: number, ground: number, alpha: number): number {
  const sum = level * alpha + ground * (255 - alpha) + 128;
  return (sum + (sum >> 8)) >> 8;
}

function compose(
  layout: PixelLayout,
  alphaOffset: number,
  [red, green, blue]: readonly [number, number, number],
  rgb: Uint8Array,
  start: number,
  end: number,
): void {
  const { data, pixelStride, colorStride } = layout;
  for (let from = start * pixelStride, to = start * 3; to < end * 3; from += pixelStride, to += 3) {
    const alpha = data[from + alphaOffset] as number;
    rgb[to] = over(data[from] as number, red, alpha);
    rgb[to + 1] = over(data[from + colorStride] as number, green, alpha);
    rgb[to + 2] = over(data[from + 2 * colorStride] as number, blue, alpha);
  }
}
