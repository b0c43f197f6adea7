import { SensoriumError } from '../errors.js';
import type { MediaSource, RawPixels, RawSamples, SampleArray, SharpImage } from '../media/types.js';

type JsonObject = Record<string, unknown>;
type Channels = RawPixels['channels'];

/** An array of numbers with its shape, row-major. */
export interface ShapedArray {
  data: unknown;
  shape: number[];
}

const MAX_SHAPE_RANK = 8;
/** More channels than sound has. */
const MAX_EAGER_ROWS = 64;

const isObject = (value: unknown): value is JsonObject => typeof value === 'object' && value !== null;
export const isPositiveInteger = (value: unknown): value is number =>
  Number.isInteger(value) && Number(value) > 0;
const isBytes = (value: unknown): value is Uint8Array | Uint8ClampedArray =>
  value instanceof Uint8Array || value instanceof Uint8ClampedArray;
const isChannels = (value: unknown): value is Channels =>
  value === 1 || value === 2 || value === 3 || value === 4;

const wrongType = (param: string, expected: string): SensoriumError =>
  new SensoriumError('invalid_type', `${param} must be ${expected}.`, { param });
const wrongImage = (param: string, reason: string): SensoriumError =>
  new SensoriumError('invalid_image', `${param} ${reason}.`, { param });
const wrongSound = (param: string, reason: string): SensoriumError =>
  new SensoriumError('invalid_audio', `${param} ${reason}.`, { param });

/** Whether `value` is a picture of the caller's own sharp, whichever copy of the package made it. */
export function isSharpImage(value: unknown): value is SharpImage {
  const methods = ['clone', 'metadata', 'raw', 'toBuffer', 'toColourspace'];
  return isObject(value) && methods.every((name) => typeof value[name] === 'function');
}

/** Whether `value` is `{ data, shape }`, whatever the numbers are. */
export const isShaped = (value: unknown): value is ShapedArray =>
  isObject(value) && 'data' in value && Array.isArray(value.shape) && value.shape.length <= MAX_SHAPE_RANK;

export const isPixelArray = (value: unknown): value is { data: Uint8Array; shape: number[] } =>
  isShaped(value) && isBytes(value.data);

function asUint8(data: Uint8Array | Uint8ClampedArray): Uint8Array {
  return data instanceof Uint8Array ? data : new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
}

/** `{ data, width, height, channels }`, an ImageData, or what sharp's `toBuffer` resolves with. Throws `invalid_type`, `invalid_image`. */
export function readPixels(value: JsonObject, param: string): MediaSource {
  const { data } = value;
  const size = isObject(value.info) ? value.info : value;
  const { width, height } = size;
  if (!isBytes(data)) throw wrongType(param, 'pixels whose `data` is a Uint8Array');
  if (!isPositiveInteger(width) || !isPositiveInteger(height)) {
    throw wrongType(param, 'pixels with a positive integer `width` and `height`');
  }
  const channels = size.channels ?? data.length / (width * height);
  if (!isChannels(channels) || data.length !== width * height * channels) {
    const expected = `${height} x ${width} pixels of 1, 2, 3 or 4 channels`;
    throw new SensoriumError('invalid_image', `${param}: ${data.length} bytes are not ${expected}.`, {
      param,
    });
  }
  return { kind: 'pixels', pixels: { data: asUint8(data), width, height, channels } };
}

/** Size and layout of one picture by its shape: [h, w], [h, w, channels], or [channels, h, w] where only that fits. */
function layoutOf(shape: number[], param: string): Omit<RawPixels, 'data'> {
  const [a = 0, b = 0, c = 1] = shape;
  const isRank = shape.length === 2 || shape.length === 3;
  if (isRank && shape.every(isPositiveInteger)) {
    if (isChannels(c)) return { height: a, width: b, channels: c };
    if (isChannels(a)) return { channels: a, height: b, width: c, isPlanar: true };
  }
  const expected = '[height, width], [height, width, channels] or [channels, height, width]';
  throw wrongImage(param, `has the shape [${shape.join(', ')}]; a picture has ${expected}`);
}

/** Pictures of an 8-bit array: one, or as many as its first dimension says where it has one more. */
export function readPixelArrays(
  { data, shape }: { data: Uint8Array; shape: number[] },
  param: string,
): MediaSource[] {
  const [numPictures = 1, ...rest] = shape.length === 4 ? shape : [1, ...shape];
  const layout = layoutOf(rest, param);
  const numBytes = layout.width * layout.height * layout.channels;
  if (!isPositiveInteger(numPictures) || data.length !== numPictures * numBytes) {
    throw wrongImage(param, `has ${data.length} values, which do not fill the shape [${shape.join(', ')}]`);
  }
  const bytes = asUint8(data);
  return Array.from({ length: numPictures }, (_, i) => ({
    kind: 'pixels',
    pixels: { ...layout, data: bytes.subarray(i * numBytes, (i + 1) * numBytes) },
  }));
}

/** One channel of samples. Of a list of numbers only the first is looked at: there may be millions. */
export const isSampleArray = (value: unknown): value is SampleArray =>
  Array.isArray(value)
    ? value.length === 0 || typeof value[0] === 'number'
    : value instanceof Float32Array ||
      value instanceof Float64Array ||
      value instanceof Int16Array ||
      value instanceof Int32Array;

/** Whether `value` is `[samples, samplingRate]`. */
export const isSoundTuple = (value: unknown): value is [unknown, number] =>
  Array.isArray(value) && value.length === 2 && typeof value[1] === 'number' && typeof value[0] !== 'number';

/**
 * Samples as typed arrays or numbers, mono; `{ data, shape }` or nested lists with one or two dimensions, of which the
 * smaller is the channels. Throws `invalid_type`, `invalid_value`, `invalid_audio`.
 */
export function readSamples(value: unknown, samplingRate: unknown, param: string): MediaSource {
  const sound: RawSamples = { ...readChannels(value, param), samplingRate: readRate(samplingRate, param) };
  return { kind: 'samples', sound };
}

function readRate(value: unknown, param: string): number | undefined {
  if (value === undefined || value === null) return undefined;
  if (typeof value === 'number' && Number.isFinite(value) && value > 0) return value;
  const message = `The sampling rate of ${param} must be a positive number of Hz.`;
  throw new SensoriumError('invalid_value', message, { param });
}

function readChannels(value: unknown, param: string): RawSamples {
  if (isSampleArray(value)) return { data: value, numChannels: 1, layout: 'planar' };
  if (isShaped(value)) return readShapedSamples(value, param);
  if (Array.isArray(value)) return readNestedSamples(value, param);
  throw wrongType(param, 'samples as a Float32Array, an Int16Array, a list of numbers or { data, shape }');
}

function readShapedSamples({ data, shape }: ShapedArray, param: string): RawSamples {
  if (!isSampleArray(data))
    throw wrongType(param, 'samples whose `data` is a Float32Array or a list of numbers');
  if (shape.length < 1 || shape.length > 2) {
    throw wrongSound(
      param,
      `has ${shape.length} dimensions; sound has [time], [channels, time] or [time, channels]`,
    );
  }
  const isFull = data.length === shape.reduce((product, size) => product * size, 1);
  if (!isFull || !shape.every((size) => Number.isInteger(size) && size >= 0)) {
    throw wrongSound(param, `has ${data.length} values, which do not fill the shape [${shape.join(', ')}]`);
  }
  const [rows = 0, columns] = shape;
  if (columns === undefined) return { data, numChannels: 1, layout: 'planar' };
  return rows > columns
    ? { data, numChannels: columns, layout: 'interleaved' }
    : { data, numChannels: rows, layout: 'planar' };
}

/** The first rows are checked here, all of them while they are mixed. */
function readNestedSamples(rows: unknown[], param: string): RawSamples {
  const [first] = rows;
  if (!isSampleArray(first) || !rows.slice(0, MAX_EAGER_ROWS).every(isSampleArray)) {
    throw wrongSound(param, 'is not samples of [time], [channels, time] or [time, channels]');
  }
  const data = rows as SampleArray[];
  return rows.length > first.length
    ? { data, numChannels: first.length, layout: 'frames' }
    : { data, numChannels: rows.length, layout: 'channels' };
}
