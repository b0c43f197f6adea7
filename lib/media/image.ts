import sharp, { type Metadata, type Sharp, type SharpOptions } from 'sharp';
import { SensoriumError } from '../errors.js';
import { decodeBmp, readBmpHeader } from './bmp.js';
import { cmykToRgb } from './cmyk.js';
import type { DecodeContext } from './decode-context.js';
import { formatRefused, invalidMedia, throwIfAborted, tooLarge } from './failure.js';
import type { ImageSettings } from './media-settings.js';
import { toRgbImage } from './raw-pixels.js';
import { sniffFormat, type MediaFormat } from './sniff.js';
import type { DecodedImage, MediaPolicy, Modality } from './types.js';

/** Formats that are recognised, with the name an error gives them; the rest of libvips' loaders stays blocked. */
const ACCEPTED: ReadonlySet<MediaFormat> = new Set<MediaFormat>([
  'jpeg',
  'png',
  'apng',
  'webp',
  'gif',
  'avif',
  'tiff',
  'bmp',
]);
const LOADERS = ['Jpeg', 'Png', 'Webp', 'Nsgif', 'Heif', 'Tiff'];
/** Files too: a program in process may open its own pictures with sharp. */
const LOADER_SOURCES = ['Buffer', 'File'];

sharp.block({ operation: ['VipsForeignLoad'] });
sharp.unblock({
  operation: LOADERS.flatMap((name) => LOADER_SOURCES.map((source) => `VipsForeignLoad${name}${source}`)),
});
sharp.cache(false);
sharp.concurrency(1);

export interface ImageHeader {
  /** Before orientation. */
  width: number;
  height: number;
  format: MediaFormat;
  /** Pages or animation frames. */
  numPages: number;
  metadata?: Metadata | undefined;
}

/** Options every decode shares: no colour management (Pillow has none), only what is damaged beyond use is refused. */
export function sharpOptions(policy: Pick<MediaPolicy, 'maxImagePixels'>): SharpOptions {
  return { limitInputPixels: policy.maxImagePixels, failOn: 'error', ignoreIcc: true, sequentialRead: true };
}

/**
 * Format and size from the header alone, checked against the pixel limit. `modality` is what the bytes are used as.
 * Throws `media_format_refused`, `invalid_image` or `invalid_video`, `media_too_large`.
 */
export async function readImageHeader(
  bytes: Uint8Array,
  policy: MediaPolicy,
  modality: Modality = 'image',
): Promise<ImageHeader> {
  const format = sniffFormat(bytes);
  if (bytes.length === 0) throw invalidMedia(modality, 'is empty');
  if (format === undefined) throw invalidMedia(modality, 'is in no known format');
  if (!ACCEPTED.has(format)) throw formatRefused(modality, format.toUpperCase());
  const header = format === 'bmp' ? bmpHeader(bytes) : await sharpHeader(bytes, format, modality);
  if (header.width * header.height > policy.maxImagePixels) {
    throw tooLarge(
      modality,
      `has ${header.width} x ${header.height} pixels, more than the limit of ${policy.maxImagePixels}`,
    );
  }
  return header;
}

function bmpHeader(bytes: Uint8Array): ImageHeader {
  const { width, height } = readBmpHeader(asBuffer(bytes));
  return { width, height, format: 'bmp', numPages: 1 };
}

async function sharpHeader(bytes: Uint8Array, format: MediaFormat, modality: Modality): Promise<ImageHeader> {
  try {
    // The limit is checked by the caller, on the size this reads; no pixel is decoded here.
    const metadata = await sharp(bytes, { limitInputPixels: false, failOn: 'error' }).metadata();
    const { width, height, pages } = metadata;
    return { width, height: metadata.pageHeight ?? height, format, numPages: pages ?? 1, metadata };
  } catch (error) {
    throw invalidMedia(modality, 'has a broken header', error);
  }
}

/**
 * The first picture in `bytes` as RGB the way Pillow gives it: EXIF orientation applied, alpha composited or dropped,
 * palettes, grey, 16-bit and CMYK converted. Throws `media_format_refused`, `invalid_image`, `media_too_large`.
 */
export async function decodeImage(
  bytes: Uint8Array,
  settings: ImageSettings,
  context: DecodeContext,
): Promise<DecodedImage> {
  const header = await readImageHeader(bytes, context.policy);
  await context.reserve(decodedImageBytes(header));
  throwIfAborted(context.signal);
  if (header.format === 'bmp') return await decodeBmp(asBuffer(bytes), readBmpHeader(asBuffer(bytes)));
  const oriented = sharp(bytes, { ...sharpOptions(context.policy), autoOrient: true });
  try {
    return header.metadata?.space === 'cmyk'
      ? await decodeCmyk(oriented, context.signal)
      : await readRgb(oriented, settings, context);
  } catch (error) {
    if (error instanceof SensoriumError) throw error;
    throw invalidMedia('image', 'is damaged and cannot be decoded', error);
  }
}

/** Bytes of pixels that decoding will hold: with alpha, those before and after it is composited. */
export function decodedImageBytes({ width, height, metadata }: ImageHeader): number {
  return width * height * (metadata?.hasAlpha === true ? 7 : 3);
}

/** Alpha is composited here: libvips rounds down where Pillow rounds to the nearest. */
async function readRgb(
  image: Sharp,
  settings: ImageSettings,
  { signal }: DecodeContext,
): Promise<DecodedImage> {
  const { data, info } = await (settings.background === undefined ? image.removeAlpha() : image)
    .toColourspace('srgb')
    .raw({ depth: 'uchar' })
    .toBuffer({ resolveWithObject: true });
  const { width, height, channels } = info;
  if (channels !== 3 && channels !== 4) throw new Error(`unexpected number of channels: ${channels}`);
  return await toRgbImage({ data, width, height, channels }, settings, signal);
}

async function decodeCmyk(image: Sharp, signal: AbortSignal | undefined): Promise<DecodedImage> {
  const { data, info } = await image
    .removeAlpha()
    .pipelineColourspace('cmyk')
    .toColourspace('cmyk')
    .raw({ depth: 'uchar' })
    .toBuffer({ resolveWithObject: true });
  const { width, height, channels } = info;
  if (channels !== 4) throw new Error(`unexpected number of channels: ${channels}`);
  return { kind: 'image', data: await cmykToRgb(data, signal), width, height };
}

export function asBuffer(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
