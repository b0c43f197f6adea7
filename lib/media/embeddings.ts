import { createHash } from 'node:crypto';
import { SensoriumError, toSensoriumError } from '../errors.js';
import {
  denseBytes,
  packNumbers,
  parseTensorFile,
  sliceView,
  toDense,
  viewOfArray,
  type TensorView,
} from '../tensors/index.js';
import { base64Bytes, decodeStrictBase64 } from './base64.js';
import { hashBytes } from './content-hash.js';
import { parseDataUrlHeader } from './data-url.js';
import type { DecodeContext } from './decode-context.js';
import { abortReason } from './failure.js';
import type { DenseTensor, Modality, TensorArray, TensorSource, TypedNumbers } from './types.js';
import { isDataUrl } from './url-guard.js';

/** A tensor whose bytes are here. */
export type LoadedTensor =
  Extract<TensorSource, { kind: 'file' }> | { kind: 'array'; array: TensorArray<TypedNumbers> };
/** The tensors of one item by name: `embeddings` are the rows, the others are the family's extras. */
export type LoadedTensors = Record<string, LoadedTensor>;

const ROWS = 'embeddings';
/** Of a plain number, as a double. */
const NUMBER_BYTES = 8;
const MAX_TENSORS = 32;
/** What families want beside rows; in a file of several tensors the one that is none of these is the rows. */
const EXTRA_NAMES: ReadonlySet<string> = new Set([
  'image_grid_thw',
  'video_grid_thw',
  'second_per_grid_ts',
  'video_second_per_grid',
  'image_sizes',
  'video_image_sizes',
  'tgt_sizes',
  'timestamps',
  'audio_feature_lengths',
  'feature_attention_mask',
  'num_patches',
]);

/** How messages call a tensor: rows by the key that clients send. */
const titleOf = (name: string, modality: Modality): string => (name === ROWS ? `${modality}_embeds` : name);

function tooLarge(name: string, maxBytes: number): SensoriumError {
  return new SensoriumError('media_too_large', `${name} is larger than the limit of ${maxBytes} bytes.`);
}

/** `error` naming the tensor it is about. */
function blame(error: unknown, name: string): SensoriumError {
  const failure = toSensoriumError(error);
  if (failure.code !== 'invalid_embedding') return failure;
  const message = failure.message.replace(/^The tensor /, `${name} `);
  return new SensoriumError(failure.code, message, { cause: failure });
}

/** Bytes that a source keeps or stands for, before anything is decoded. */
function sourceBytes(source: TensorSource): number {
  switch (source.kind) {
    case 'array':
      return Array.isArray(source.array.data)
        ? source.array.data.length * NUMBER_BYTES
        : source.array.data.byteLength;
    case 'list':
      return source.numbers.shape.reduce((product, size) => product * size, NUMBER_BYTES);
    case 'file':
      return source.bytes.length;
    case 'base64':
      return base64Bytes(source.text);
  }
}

/** Padded base64, or a data URL of it. */
async function decodeText(text: string, name: string, maxBytes: number): Promise<Buffer> {
  const notBase64 = (): SensoriumError =>
    new SensoriumError('invalid_embedding', `${name} is not valid base64.`);
  const header = isDataUrl(text) ? parseDataUrlHeader(text) : undefined;
  const payload = header === undefined ? text : text.slice(header.payloadStart);
  if (header?.isBase64 === false || payload.length % 4 !== 0) throw notBase64();
  return await decodeStrictBase64(payload, maxBytes, { notBase64, tooLarge: () => tooLarge(name, maxBytes) });
}

/** Numbers as a typed array: plain ones of rows are floats, of extras integers where all are whole. */
async function packArray(
  source: Extract<TensorSource, { kind: 'array' | 'list' }>,
  isRows: boolean,
  signal: AbortSignal,
): Promise<LoadedTensor> {
  const plainType = isRows ? 'float32' : undefined;
  if (source.kind === 'list')
    return { kind: 'array', array: await packNumbers(source.numbers, plainType, signal) };
  const { data, shape, dtype } = source.array;
  if (!Array.isArray(data)) return { kind: 'array', array: { data, shape, dtype } };
  const flat = { list: data, shape: [data.length] };
  return { kind: 'array', array: { ...(await packNumbers(flat, dtype ?? plainType, signal)), shape } };
}

export interface LoadTensorsOptions {
  modality: Modality;
  /** Of all tensors of the item together. */
  maxBytes: number;
  /** Waits for memory before it is taken. */
  reserve: (numBytes: number) => Promise<unknown>;
  signal: AbortSignal;
}

/** The bytes of the tensors of one item. Throws `invalid_embedding`, naming the tensor, and `media_too_large`. */
export async function loadTensors(
  tensors: Record<string, TensorSource>,
  { modality, maxBytes, reserve, signal }: LoadTensorsOptions,
): Promise<LoadedTensors> {
  const sources = Object.entries(tensors);
  if (sources.length > MAX_TENSORS) {
    throw new SensoriumError('invalid_embedding', `An item has at most ${MAX_TENSORS} tensors.`);
  }
  const numBytes = sources.reduce((sum, [, source]) => sum + sourceBytes(source), 0);
  if (numBytes > maxBytes) throw tooLarge(titleOf(ROWS, modality), maxBytes);
  await reserve(numBytes);
  const loaded: [string, LoadedTensor][] = [];
  for (const [name, source] of sources) {
    const title = titleOf(name, modality);
    try {
      if (source.kind === 'file') loaded.push([name, source]);
      else if (source.kind !== 'base64') loaded.push([name, await packArray(source, name === ROWS, signal)]);
      else loaded.push([name, { kind: 'file', bytes: await decodeText(source.text, title, maxBytes) }]);
    } catch (error) {
      throw signal.aborted ? abortReason(signal) : blame(error, title);
    }
  }
  return Object.fromEntries(loaded);
}

/** A tensor's bytes, and what they mean. */
function describe(tensor: LoadedTensor): { kind: unknown[]; bytes: Uint8Array } {
  if (tensor.kind === 'file') return { kind: ['file', tensor.slice ?? null], bytes: tensor.bytes };
  const { data, shape, dtype } = tensor.array;
  return {
    kind: ['array', Object.prototype.toString.call(data), dtype ?? null, shape],
    bytes: new Uint8Array(data.buffer, data.byteOffset, data.byteLength),
  };
}

/** Name of an item by its content: names, types, shapes and bytes of all its tensors. */
export async function hashTensors(tensors: LoadedTensors, signal: AbortSignal): Promise<string> {
  const hash = createHash('sha256').update('embeddings');
  for (const name of Object.keys(tensors).sort()) {
    const { kind, bytes } = describe(tensors[name] as LoadedTensor);
    hash.update(JSON.stringify([name, kind, await hashBytes(bytes, signal)]));
  }
  return hash.digest('hex');
}

/** The tensors of a file given as `name`, by the names they are for. */
function viewsOfFile(bytes: Uint8Array, name: string, modality: Modality): [string, TensorView][] {
  const parsed = parseTensorFile(bytes);
  if (!(parsed instanceof Map)) return [[name, parsed]];
  const entries = [...parsed];
  if (name !== ROWS) {
    const view = parsed.get(name) ?? (entries.length === 1 ? entries[0]?.[1] : undefined);
    if (view === undefined)
      throw new SensoriumError('invalid_embedding', `The file of ${name} does not hold it.`);
    return [[name, view]];
  }
  const rowNames = [ROWS, `${modality}_embeds`].filter((known) => parsed.has(known));
  const others = entries.map(([key]) => key).filter((key) => !EXTRA_NAMES.has(key));
  const [rowName, ...more] = rowNames.length > 0 ? rowNames : others;
  if (rowName === undefined || more.length > 0) {
    const message = `The file of ${titleOf(ROWS, modality)} must hold one tensor beside the named extras.`;
    throw new SensoriumError('invalid_embedding', message);
  }
  return entries
    .filter(([key]) => key === rowName || EXTRA_NAMES.has(key))
    .map(([key, view]) => [key === rowName ? ROWS : key, view]);
}

function viewsOf(tensor: LoadedTensor, name: string, modality: Modality): [string, TensorView][] {
  try {
    if (tensor.kind === 'file') {
      const views = viewsOfFile(tensor.bytes, name, modality);
      const { slice } = tensor;
      return slice === undefined ? views : views.map(([key, view]) => [key, sliceView(view, slice)]);
    }
    return [[name, viewOfArray(tensor.array)]];
  } catch (error) {
    throw blame(error, titleOf(name, modality));
  }
}

/**
 * The tensors of one item, dense; a tensor of its own goes before one of the same name inside the file of the rows.
 * Throws `invalid_embedding` naming the tensor, and `media_too_large` before anything is allocated.
 */
export async function decodeTensors(
  tensors: LoadedTensors,
  modality: Modality,
  context: DecodeContext,
): Promise<Record<string, DenseTensor>> {
  const names = Object.keys(tensors).sort((a, b) => Number(b === ROWS) - Number(a === ROWS));
  const views = new Map(names.flatMap((name) => viewsOf(tensors[name] as LoadedTensor, name, modality)));
  const { signal } = context;
  const maxBytes = context.policy.maxEmbeddingBytes;
  let numBytes = 0;
  for (const [name, view] of views) {
    numBytes += denseBytes(view);
    if (numBytes > maxBytes) throw tooLarge(titleOf(name, modality), maxBytes);
  }
  await context.reserve(numBytes);
  const dense: [string, DenseTensor][] = [];
  for (const [name, view] of views) {
    try {
      dense.push([name, await toDense(view, signal)]);
    } catch (error) {
      throw signal?.aborted ? abortReason(signal) : blame(error, titleOf(name, modality));
    }
  }
  return Object.fromEntries(dense);
}
