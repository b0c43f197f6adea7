import { fileURLToPath } from 'node:url';
import { SensoriumError } from '../errors.js';
import type { DecodedMedia, MediaSource, Modality } from '../media/types.js';

/** What a payload names: something to decode, or a path that the program itself gave. */
export type PayloadSource = MediaSource | { kind: 'path'; path: string };

export interface PayloadContext {
  modality: Modality;
  /** Path of the payload in the request. */
  param: string;
  /** Wire payloads: strings only. */
  isStrict: boolean;
  /** Whether a string without a scheme is a path (`image`), or a URL whatever it looks like (`image_url`). */
  mayBePath: boolean;
}

type JsonObject = Record<string, unknown>;

/** Frames of one video given one by one. */
const MAX_FRAMES = 4096;

const isObject = (value: unknown): value is JsonObject =>
  typeof value === 'object' && value !== null && !Array.isArray(value) && !ArrayBuffer.isView(value);

function invalid(context: PayloadContext, expected: string): SensoriumError {
  return new SensoriumError('invalid_type', `${context.param} must be ${expected}.`, {
    param: context.param,
  });
}

function fromString(value: string, context: PayloadContext): PayloadSource {
  if (value === '') {
    throw new SensoriumError('missing_field', `${context.param} is empty.`, { param: context.param });
  }
  const hasScheme = /^[a-z][a-z0-9+.-]+:/i.test(value);
  if (!context.isStrict && context.mayBePath && !hasScheme) return { kind: 'path', path: value };
  return { kind: 'url', url: value };
}

function fromUrlObject(url: URL): PayloadSource {
  return url.protocol === 'file:'
    ? { kind: 'path', path: fileURLToPath(url) }
    : { kind: 'url', url: url.href };
}

/** Pixels of 1, 3 or 4 channels as RGB; alpha is composited on white. */
function toRgb(data: Uint8Array | Uint8ClampedArray, numPixels: number, channels: number): Uint8Array {
  if (channels === 3) return new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
  const rgb = new Uint8Array(numPixels * 3);
  for (let pixel = 0; pixel < numPixels; pixel++) {
    const from = pixel * channels;
    const alpha = channels === 4 ? (data[from + 3] ?? 0) : 255;
    for (let channel = 0; channel < 3; channel++) {
      const value = data[from + (channels === 1 ? 0 : channel)] ?? 0;
      rgb[pixel * 3 + channel] = Math.round((value * alpha + 255 * (255 - alpha)) / 255);
    }
  }
  return rgb;
}

const isPositiveInteger = (value: unknown): value is number => Number.isInteger(value) && Number(value) > 0;

function fromPixels(value: JsonObject, context: PayloadContext): DecodedMedia {
  const { data, width, height } = value;
  if (!(data instanceof Uint8Array || data instanceof Uint8ClampedArray)) {
    throw invalid(context, 'pixels whose `data` is a Uint8Array');
  }
  if (!isPositiveInteger(width) || !isPositiveInteger(height)) {
    throw invalid(context, 'pixels with a positive integer `width` and `height`');
  }
  const channels = value.channels ?? data.length / (width * height);
  const isSizeRight = data.length === width * height * Number(channels);
  if (!isSizeRight || (channels !== 1 && channels !== 3 && channels !== 4)) {
    const message = `${context.param}: ${data.length} bytes are not ${height} x ${width} pixels of 1, 3 or 4 channels.`;
    throw new SensoriumError('invalid_image', message, { param: context.param });
  }
  return { kind: 'image', data: toRgb(data, width * height, channels), width, height };
}

function fromSamples(value: JsonObject, context: PayloadContext): DecodedMedia {
  const { samples, samplingRate } = value;
  if (!(samples instanceof Float32Array)) throw invalid(context, 'sound whose `samples` is a Float32Array');
  if (!isPositiveInteger(samplingRate))
    throw invalid(context, 'sound with a positive integer `samplingRate`');
  return { kind: 'audio', samples, samplingRate };
}

function fromFrames(value: JsonObject, context: PayloadContext): MediaSource {
  const frames = value.frames;
  const param = `${context.param}.frames`;
  if (!Array.isArray(frames) || frames.length === 0) {
    throw new SensoriumError('invalid_value', `${param} must be a list of at least one frame.`, { param });
  }
  if (frames.length > MAX_FRAMES) {
    throw new SensoriumError(
      'invalid_video',
      `${param} has ${frames.length} frames; ${MAX_FRAMES} are the most.`,
      { param },
    );
  }
  const { fps } = value;
  if (fps !== undefined && (typeof fps !== 'number' || !Number.isFinite(fps) || fps <= 0)) {
    throw new SensoriumError('invalid_value', `${context.param}.fps must be a positive number.`, {
      param: `${context.param}.fps`,
    });
  }
  const sources = frames.map((frame: unknown, i) => {
    const source = readPayload(frame, {
      ...context,
      modality: 'image',
      param: `${param}[${i}]`,
      mayBePath: false,
    });
    if (source.kind === 'path' || source.kind === 'frames')
      throw invalid(context, 'frames as bytes, URLs or pixels');
    return source;
  });
  return { kind: 'frames', frames: sources, fps };
}

const isDecodedVideo = (value: JsonObject): boolean => value.kind === 'video' && Array.isArray(value.frames);

function fromObject(value: JsonObject, context: PayloadContext): PayloadSource {
  if ('frames' in value && context.modality === 'video') {
    if (!context.isStrict && isDecodedVideo(value)) {
      return { kind: 'decoded', media: value as unknown as DecodedMedia };
    }
    return fromFrames(value, context);
  }
  if ('url' in value) {
    return readPayload(value.url, { ...context, param: `${context.param}.url`, mayBePath: false });
  }
  if (!context.isStrict && context.modality === 'image' && 'data' in value) {
    return { kind: 'decoded', media: fromPixels(value, context) };
  }
  if (!context.isStrict && context.modality === 'audio' && 'samples' in value) {
    return { kind: 'decoded', media: fromSamples(value, context) };
  }
  throw new SensoriumError('missing_field', `${context.param} needs a 'url'.`, { param: context.param });
}

/** What a media payload names. Throws an error that names `context.param`. */
export function readPayload(value: unknown, context: PayloadContext): PayloadSource {
  if (typeof value === 'string') return fromString(value, context);
  if (!context.isStrict) {
    if (value instanceof URL) return fromUrlObject(value);
    if (value instanceof Uint8Array) return { kind: 'bytes', bytes: value };
    if (value instanceof ArrayBuffer) return { kind: 'bytes', bytes: new Uint8Array(value) };
  }
  if (isObject(value)) return fromObject(value, context);
  throw invalid(
    context,
    context.isStrict ? "a string or an object with a 'url'" : 'a URL, a path, bytes or decoded media',
  );
}
