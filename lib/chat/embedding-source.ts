import { SensoriumError } from '../errors.js';
import type { MediaSource, Modality, TensorArray, TensorSource } from '../media/types.js';
import { toSnakeName } from './snake-name.js';

export type EmbeddingSource = Extract<MediaSource, { kind: 'embeddings' }>;

export interface EmbeddingContext {
  modality: Modality;
  /** Path of the payload in the request. */
  param: string;
  /** Wire payloads: texts, numbers and lists of numbers. */
  isStrict: boolean;
}

type JsonObject = Record<string, unknown>;

/** Dimensions of lists in lists. */
const MAX_LIST_RANK = 4;
/** Numbers that are read at once. */
const MAX_EAGER_NUMBERS = 16 * 1024;
const MAX_RANK = 8;

const isGiven = (value: unknown): boolean => value !== undefined && value !== null;

const isObject = (value: unknown): value is JsonObject =>
  typeof value === 'object' && value !== null && !Array.isArray(value) && !ArrayBuffer.isView(value);

function wrongType(param: string, expected: string): SensoriumError {
  return new SensoriumError('invalid_type', `${param} must be ${expected}.`, { param });
}

/** Names under which an item's rows may stand, the page's own first. Extras may be camelCase too. */
function rowNames(modality: Modality): readonly string[] {
  return [
    `${modality}_embeds`,
    `${modality}Embeds`,
    `${modality}_embeddings`,
    `${modality}Embeddings`,
    'embeddings',
    'embeds',
  ];
}

/** The key of `value` that holds rows of `modality`, as in `{ image_embeds, image_grid_thw }`. */
export function rowsKeyOf(value: unknown, modality: Modality): string | undefined {
  return isObject(value) ? rowNames(modality).find((name) => isGiven(value[name])) : undefined;
}

/** Whether `value` is `{ data, shape }`: numbers in memory with their shape. */
export function isTensorArray(value: unknown): value is TensorArray {
  if (!isObject(value) || !Array.isArray(value.shape) || value.shape.length > MAX_RANK) return false;
  const { data } = value;
  const isData =
    Array.isArray(data) ||
    [Float32Array, Float64Array, Int32Array, BigInt64Array, Uint16Array].some((type) => data instanceof type);
  return isData && value.shape.every((size) => Number.isSafeInteger(size) && size >= 0);
}

/**
 * Lists of lists of numbers: few as one list and its shape, many as they are, for whoever has the time. Throws
 * `invalid_embedding` where few are uneven.
 */
function readLists(list: readonly unknown[], param: string): TensorSource {
  const shape: number[] = [];
  for (let inner: unknown = list; Array.isArray(inner) && shape.length < MAX_LIST_RANK; inner = inner[0]) {
    shape.push(inner.length);
  }
  const size = shape.reduce((product, extent) => product * Math.max(1, extent), 1);
  if (size > MAX_EAGER_NUMBERS) return { kind: 'list', numbers: { list, shape } };
  const data: number[] = [];
  appendNumbers(list, shape, 0, data, param);
  return { kind: 'array', array: { data, shape } };
}

/** Appends the numbers under `list`, whose dimension is `axis`. */
function appendNumbers(
  list: readonly unknown[],
  shape: readonly number[],
  axis: number,
  data: number[],
  param: string,
): void {
  const isLast = axis === shape.length - 1;
  for (const entry of list) {
    if (isLast) {
      if (typeof entry !== 'number') throw wrongType(param, 'numbers throughout');
      data.push(entry);
      continue;
    }
    if (!Array.isArray(entry) || entry.length !== shape[axis + 1]) {
      throw new SensoriumError('invalid_embedding', `${param} holds lists of different lengths.`, { param });
    }
    appendNumbers(entry, shape, axis + 1, data, param);
  }
}

/** A tensor as it was written: base64, numbers, or in process a file or an array with its shape. Throws `invalid_type`. */
export function readTensorSource(value: unknown, param: string, isStrict: boolean): TensorSource {
  if (typeof value === 'string') {
    if (value === '') throw new SensoriumError('missing_field', `${param} is empty.`, { param });
    return { kind: 'base64', text: value };
  }
  if (typeof value === 'number') return { kind: 'array', array: { data: [value], shape: [] } };
  if (Array.isArray(value)) return readLists(value, param);
  if (isTensorArray(value)) return { kind: 'array', array: value };
  if (!isStrict && value instanceof Uint8Array) return { kind: 'file', bytes: value };
  if (!isStrict && value instanceof ArrayBuffer) return { kind: 'file', bytes: new Uint8Array(value) };
  throw wrongType(
    param,
    isStrict ? 'base64 of a tensor' : 'a tensor: { data, shape }, the bytes of a file, or base64',
  );
}

/**
 * One item's rows: a tensor alone, or an object of it and the extras of the family, as in
 * `{ image_embeds, image_grid_thw }`. Nothing is decoded. Throws `missing_field` and `invalid_type`, naming the tensor.
 */
export function readEmbeddings(
  value: unknown,
  { modality, param, isStrict }: EmbeddingContext,
): EmbeddingSource {
  if (!isObject(value) || isTensorArray(value)) {
    return { kind: 'embeddings', tensors: { embeddings: readTensorSource(value, param, isStrict) } };
  }
  if (value instanceof ArrayBuffer)
    return readEmbeddings(new Uint8Array(value), { modality, param, isStrict });
  const rowsKey = rowsKeyOf(value, modality);
  if (rowsKey === undefined) {
    const missing = `${param}.${modality}_embeds`;
    throw new SensoriumError('missing_field', `${missing} is missing.`, { param: missing });
  }
  const rows = readTensorSource(value[rowsKey], `${param}.${rowsKey}`, isStrict);
  const tensors: [string, TensorSource][] = [['embeddings', rows]];
  for (const [name, extra] of Object.entries(value)) {
    if (rowNames(modality).includes(name) || !isGiven(extra)) continue;
    tensors.push([toSnakeName(name), readTensorSource(extra, `${param}.${name}`, isStrict)]);
  }
  return { kind: 'embeddings', tensors: Object.fromEntries(tensors) };
}
