import {
  isTensorArray,
  readEmbeddings,
  readTensorSource,
  rowsKeyOf,
  type EmbeddingSource,
} from '../chat/embedding-source.js';
import { toSnakeName, withSnakeNames } from '../chat/snake-name.js';
import { SensoriumError } from '../errors.js';
import type { Modality, TensorArray, TensorSource } from '../media/types.js';
import { isTensorFile, parseTensorFile } from '../tensors/index.js';

type JsonObject = Record<string, unknown>;

/** More items than a prompt has. */
const MAX_ITEMS = 4096;

const isGiven = (value: unknown): boolean => value !== undefined && value !== null;

function invalid(param: string, reason: string): SensoriumError {
  return new SensoriumError('invalid_embedding', `${param} ${reason}.`, { param });
}

/**
 * Whether `value` is a tensor of rows: [items, rows, width], or where `mayBeFlat` also [rows, width], or a file of torch.save,
 * npy or safetensors. Pixels are 8-bit.
 */
function isRows(value: unknown, mayBeFlat: boolean): value is TensorArray | Uint8Array {
  if (value instanceof Uint8Array) return isTensorFile(value);
  if (!isTensorArray(value) || 'samplingRate' in value || 'sampling_rate' in value) return false;
  const isFloat = !(value.data instanceof Int32Array || value.data instanceof BigInt64Array);
  return isFloat && (value.shape.length === 3 || (mayBeFlat && value.shape.length === 2));
}

/** Elements [start, start + count) of the first axis. */
function sliceArray({ data, shape, dtype }: TensorArray, start: number, count: number): TensorArray {
  const [, ...rest] = shape;
  const size = rest.reduce((product, extent) => product * extent, 1);
  const [from, to] = [start * size, (start + count) * size];
  return {
    data: Array.isArray(data) ? data.slice(from, to) : data.subarray(from, to),
    shape: [count, ...rest],
    dtype,
  };
}

function sliceSource(source: TensorSource, start: number, count: number): TensorSource {
  if (source.kind === 'array') return { kind: 'array', array: sliceArray(source.array, start, count) };
  if (source.kind === 'list') {
    const { list, shape } = source.numbers;
    const numbers = { list: list.slice(start, start + count), shape: [count, ...shape.slice(1)] };
    return { kind: 'list', numbers };
  }
  return source.kind === 'file' ? { ...source, slice: { start, count } } : source;
}

/** Shape of a tensor as it was given; of a file of one tensor from its header. */
function shapeOf(source: TensorSource, param: string): readonly number[] | undefined {
  if (source.kind === 'array') return source.array.shape;
  if (source.kind === 'list') return source.numbers.shape;
  if (source.kind === 'base64') return undefined;
  try {
    const parsed = parseTensorFile(source.bytes);
    return parsed instanceof Map ? undefined : parsed.shape;
  } catch (error) {
    throw error instanceof SensoriumError ? error.withParam(param) : error;
  }
}

/** One tensor for each item: the entries of a list, or the elements of the first axis. */
function splitTensor(value: unknown, numItems: number, param: string): TensorSource[] {
  const isList =
    Array.isArray(value) && value.some((entry) => isTensorArray(entry) || entry instanceof Uint8Array);
  if (isList) {
    const list = value as unknown[];
    if (list.length !== numItems) throw invalid(param, `has ${list.length} entries for ${numItems} item(s)`);
    return list.map((entry, i) => readTensorSource(entry, `${param}[${i}]`, false));
  }
  const source = readTensorSource(value, param, false);
  if (numItems === 1) return [source];
  const shape = shapeOf(source, param);
  if (shape?.[0] !== numItems)
    throw invalid(param, `does not hold one entry for each of the ${numItems} items`);
  return Array.from({ length: numItems }, (_, i) => sliceSource(source, i, 1));
}

/** Rows of each item where all lie in one [rows, width]: in proportion to their patches, from `<modality>_grid_thw`. */
function countRows(grid: TensorArray, numRows: number, param: string): number[] {
  const values = Array.from(grid.data as ArrayLike<number | bigint>, Number);
  const numPatches = Array.from({ length: values.length / 3 }, (_, i) =>
    values.slice(i * 3, i * 3 + 3).reduce((product, size) => product * size, 1),
  );
  const total = numPatches.reduce((sum, count) => sum + count, 0);
  const counts = numPatches.map((count) => (count / total) * numRows);
  if (counts.every((count) => Number.isSafeInteger(count) && count > 0)) return counts;
  throw invalid(param, `has ${numRows} rows, which do not divide as its grids do`);
}

/** The rows of each item of `{ image_embeds, image_grid_thw, ... }`. */
function splitRows(rows: unknown, grid: unknown, param: string): TensorSource[] {
  if (Array.isArray(rows) && rows.some((entry) => isTensorArray(entry) || entry instanceof Uint8Array)) {
    return splitTensor(rows, rows.length, param);
  }
  const source = readTensorSource(rows, param, false);
  const shape = shapeOf(source, param);
  if (shape?.length === 3 && shape[0] !== 1) return splitTensor(rows, shape[0] as number, param);
  const grids = isGiven(grid) ? readTensorSource(grid, param, false) : undefined;
  const isFlat = shape?.length === 2 && grids?.kind === 'array' && grids.array.shape.length === 2;
  const numItems = isFlat ? (grids.array.shape[0] as number) : 1;
  if (!isFlat || numItems < 2) return [source];
  let start = 0;
  return countRows(grids.array, shape[0] as number, param).map((count) => {
    start += count;
    return sliceSource(source, start - count, count);
  });
}

/** Items of `{ image_embeds: T, image_grid_thw: G }`: T and G hold one entry for each. */
function splitNamed(value: JsonObject, rowsKey: string, modality: Modality, param: string): EmbeddingItem[] {
  const rows = splitRows(value[rowsKey], value[`${modality}_grid_thw`], `${param}.${rowsKey}`);
  if (rows.length > MAX_ITEMS) throw invalid(`${param}.${rowsKey}`, `holds more than ${MAX_ITEMS} items`);
  const items = rows.map((embeddings): Record<string, TensorSource> => ({ embeddings }));
  for (const [name, extra] of Object.entries(value)) {
    if (name === rowsKey || !isGiven(extra)) continue;
    const sources = splitTensor(extra, items.length, `${param}.${name}`);
    for (const [i, item] of items.entries()) item[name] = sources[i] as TensorSource;
  }
  return items.map((tensors) => new EmbeddingItem({ kind: 'embeddings', tensors }));
}

/** An item that is known to be ready-made rows. */
export class EmbeddingItem {
  constructor(readonly source: EmbeddingSource) {}
}

/** An entry of a list as one item of rows; undefined where it is something else. */
function asItem(
  entry: unknown,
  modality: Modality,
  param: string,
  mayBeFlat: boolean,
): EmbeddingItem | undefined {
  const isItem = rowsKeyOf(entry, modality) !== undefined || isRows(entry, mayBeFlat);
  return isItem ? new EmbeddingItem(readEmbeddings(entry, { modality, param, isStrict: false })) : undefined;
}

/**
 * Items of one modality of `multiModalData` where some are ready-made rows: a tensor [items, rows, width], a list of
 * tensors [rows, width] (raw media may stand between them), or `{ image_embeds, image_grid_thw, ... }` of tensors that hold one entry for
 * each item. Undefined where there are none. A sound of two dimensions is rows only in a list and where `hasEmbeddings`:
 * otherwise it is samples of several channels. Throws `invalid_embedding`, `invalid_type`, naming the tensor.
 */
export function listEmbeddings(
  value: unknown,
  modality: Modality,
  hasEmbeddings: boolean,
): unknown[] | undefined {
  const param = `multiModalData.${modality}`;
  // Samples may be millions of numbers.
  if (Array.isArray(value) && typeof value[0] === 'number') return undefined;
  if (Array.isArray(value)) {
    const mayBeFlat = modality !== 'audio' || hasEmbeddings;
    const items = (value as unknown[]).map(
      (entry, i) => asItem(entry, modality, `${param}[${i}]`, mayBeFlat) ?? entry,
    );
    return items.some((item) => item instanceof EmbeddingItem) ? items : undefined;
  }
  const rowsKey = rowsKeyOf(value, modality);
  if (rowsKey !== undefined) {
    return splitNamed(withSnakeNames(value as JsonObject), toSnakeName(rowsKey), modality, param);
  }
  if (!isRows(value, modality !== 'audio')) return undefined;
  const sources = splitRows(value, undefined, param);
  return sources.map((embeddings) => new EmbeddingItem({ kind: 'embeddings', tensors: { embeddings } }));
}
