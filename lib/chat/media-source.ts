import { fileURLToPath } from 'node:url';
import { SensoriumError } from '../errors.js';
import type { DecodedMedia, MediaSource, Modality } from '../media/types.js';
import { isFramesTuple, readFrames } from './frames-source.js';
import {
  isPixelArray,
  isSampleArray,
  isShaped,
  isSharpImage,
  isSoundTuple,
  readPixelArrays,
  readPixels,
  readSamples,
} from './raw-media.js';

/** What a payload names. */
export type PayloadSource = MediaSource;

export interface PayloadContext {
  modality: Modality;
  /** Path of the payload in the request. */
  param: string;
  /** Wire payloads: strings, and objects that hold strings. */
  isStrict: boolean;
  /** Whether a string without a scheme is a path (`image`), or a URL whatever it looks like (`image_url`). */
  mayBePath: boolean;
  /** Beside the payload: what is known of the clip that a list of frames was taken from. */
  metadata?: unknown;
}

type JsonObject = Record<string, unknown>;

const isObject = (value: unknown): value is JsonObject =>
  typeof value === 'object' && value !== null && !Array.isArray(value) && !ArrayBuffer.isView(value);

/** What each modality's payload may be in process, for error messages. */
const EXPECTED: Record<Modality, string> = {
  image: 'a URL, a path, bytes, pixels with their size, or a sharp object',
  video: 'a URL, a path, bytes, or frames',
  audio: 'a URL, a path, bytes, samples, or [samples, samplingRate]',
};

function invalid({ param }: PayloadContext, expected: string): SensoriumError {
  return new SensoriumError('invalid_type', `${param} must be ${expected}.`, { param });
}

function fromString(value: string, context: PayloadContext): MediaSource {
  if (value === '') {
    throw new SensoriumError('missing_field', `${context.param} is empty.`, { param: context.param });
  }
  const hasScheme = /^[a-z][a-z0-9+.-]+:/i.test(value);
  if (!context.isStrict && context.mayBePath && !hasScheme) return { kind: 'path', path: value };
  return { kind: 'url', url: value };
}

function fromUrlObject(url: URL): MediaSource {
  return url.protocol === 'file:'
    ? { kind: 'path', path: fileURLToPath(url) }
    : { kind: 'url', url: url.href };
}

/** Pixels, frames and samples of the calling program; undefined where `value` is something else. */
function fromHeld(value: unknown, context: PayloadContext): MediaSource | undefined {
  const { modality, param } = context;
  if (modality === 'video') return fromHeldFrames(value, context);
  if (modality === 'audio') return fromHeldSound(value, param);
  if (isSharpImage(value)) return { kind: 'sharp', image: value };
  if (isPixelArray(value)) return fromPixelArray(value, param);
  return isObject(value) && 'data' in value ? readPixels(value, param) : undefined;
}

function fromPixelArray(value: { data: Uint8Array; shape: number[] }, param: string): MediaSource {
  const pictures = readPixelArrays(value, param);
  if (pictures.length === 1) return pictures[0] as MediaSource;
  throw new SensoriumError(
    'invalid_image',
    `${param} holds ${pictures.length} pictures where one is expected.`,
    {
      param,
    },
  );
}

function fromHeldFrames(value: unknown, context: PayloadContext): MediaSource | undefined {
  if (isFramesTuple(value)) return fromFrames(value[0], { ...context, metadata: value[1] });
  if (Array.isArray(value) || isPixelArray(value)) return fromFrames(value, context);
  const isDecoded = isObject(value) && value.kind === 'video' && Array.isArray(value.frames);
  return isDecoded ? { kind: 'decoded', media: value as unknown as DecodedMedia } : undefined;
}

function fromHeldSound(value: unknown, param: string): MediaSource | undefined {
  if (isSoundTuple(value)) return readSamples(value[0], value[1], param);
  if (isSampleArray(value) || Array.isArray(value)) return readSamples(value, undefined, param);
  if (!isObject(value)) return undefined;
  const rate = value.samplingRate ?? value.sampling_rate ?? value.sampleRate;
  // The second spelling is that of Hugging Face's datasets.
  for (const name of ['samples', 'array']) if (name in value) return readSamples(value[name], rate, param);
  return isShaped(value) ? readSamples(value, rate, param) : undefined;
}

function fromFrames(
  frames: unknown,
  context: PayloadContext,
  fps?: unknown,
  param = context.param,
): MediaSource {
  const { metadata, isStrict } = context;
  const frameContext = { modality: 'image' as const, isStrict, mayBePath: !isStrict };
  return readFrames(frames, { fps, metadata, clipParam: context.param, param }, (frame, frameParam) =>
    readPayload(frame, { ...frameContext, param: frameParam }),
  );
}

function fromObject(value: JsonObject, context: PayloadContext): MediaSource {
  if ('frames' in value && context.modality === 'video') {
    const metadata = value.metadata ?? context.metadata;
    return fromFrames(value.frames, { ...context, metadata }, value.fps, `${context.param}.frames`);
  }
  if ('url' in value) {
    return readPayload(value.url, { ...context, param: `${context.param}.url`, mayBePath: false });
  }
  if (!context.isStrict && !isPlain(value)) throw invalid(context, EXPECTED[context.modality]);
  throw new SensoriumError('missing_field', `${context.param} needs a 'url'.`, { param: context.param });
}

const isPlain = (value: JsonObject): boolean =>
  [Object.prototype, null].includes(Object.getPrototypeOf(value) as object | null);

/** What a media payload names. Throws an error that names `context.param`. */
export function readPayload(value: unknown, context: PayloadContext): MediaSource {
  if (typeof value === 'string') return fromString(value, context);
  if (!context.isStrict) {
    if (value instanceof URL) return fromUrlObject(value);
    if (value instanceof Uint8Array) return { kind: 'bytes', bytes: value };
    if (value instanceof ArrayBuffer) return { kind: 'bytes', bytes: new Uint8Array(value) };
    const held = fromHeld(value, context);
    if (held !== undefined) return held;
  }
  if (isObject(value)) return fromObject(value, context);
  // `video_url` names one clip; a `video` may be the pictures of one.
  if (Array.isArray(value) && context.modality === 'video' && context.mayBePath)
    return fromFrames(value, context);
  throw invalid(
    context,
    context.isStrict ? "a string or an object with a 'url'" : EXPECTED[context.modality],
  );
}
