import { SensoriumError } from '../errors.js';
import type { DenseTensor, Modality } from '../media/types.js';
import type { NativeAddon, NativeError } from '../native/addon.js';
import { invalidFile, numberAt, objectAt, type JsonObject } from './checkpoint-files.js';
import type { ProcessedItem } from './types.js';

/** Tensors of one item by name: `embeddings` and the family's extras. */
export type EmbeddingTensors = Record<string, DenseTensor>;

type Grid = [t: number, h: number, w: number];

/** What ready-made rows must be. */
export interface EmbeddingRules {
  /** Columns of a row. */
  width: number;
  /** Patches of one row along height and along width. */
  mergeSize: number;
}

/** More rows or patches than any prompt has. */
const MAX_COUNT = 2 ** 31 - 1;
const MAX_SECONDS = 1e6;
/** What the families take for a temporal patch of unknown length. */
const DEFAULT_SECONDS_PER_GRID = 1;

const nameOfRows = (modality: Modality): string => `${modality}_embeds`;

export function invalidEmbedding(name: string, reason: string): SensoriumError {
  return new SensoriumError('invalid_embedding', `${name} ${reason}.`);
}

/**
 * Hidden size of the language model that `config` describes; `usual` is that of the config's class, which files leave out.
 * Throws `invalid_checkpoint`.
 */
export function readHiddenSize(config: JsonObject, usual: number): number {
  const text = objectAt(config, 'text_config') ?? objectAt(config, 'llm_config') ?? {};
  const size = numberAt(text, 'hidden_size') ?? numberAt(config, 'hidden_size') ?? usual;
  if (!Number.isInteger(size) || size < 1) {
    throw invalidFile('config.json', 'has no valid hidden_size');
  }
  return size;
}

/** Numbers of a shape with leading axes of one dropped down to `rank`; undefined where it has another rank. */
function squeezedShape(tensor: DenseTensor, rank: number): number[] | undefined {
  const { shape } = tensor;
  const numExtra = shape.length - rank;
  if (numExtra < 0 || shape.slice(0, numExtra).some((size) => size !== 1)) return undefined;
  return shape.slice(numExtra);
}

/** The rows of an item, [numRows, width] or [1, numRows, width]. */
function readRows(
  modality: Modality,
  tensors: EmbeddingTensors,
  width: number,
): { rows: Float32Array; numRows: number } {
  const name = nameOfRows(modality);
  const tensor = tensors['embeddings'];
  if (tensor === undefined) throw new SensoriumError('missing_field', `${name} is missing.`);
  if (tensor.isInteger) throw invalidEmbedding(name, 'must hold floating-point numbers');
  const shape = tensor.shape.length === 2 || tensor.shape.length === 3 ? squeezedShape(tensor, 2) : undefined;
  const [numRows = 0, numColumns = 0] = shape ?? [];
  if (shape === undefined || numRows < 1 || numRows > MAX_COUNT || numColumns !== width) {
    const expected = `[rows, ${width}] or [1, rows, ${width}]`;
    throw invalidEmbedding(name, `has shape [${tensor.shape.join(', ')}]; expected ${expected}`);
  }
  if (tensor.data.length !== numRows * width) {
    throw invalidEmbedding(name, `holds ${tensor.data.length} values, which is not what its shape tells`);
  }
  const rows = tensor.data instanceof Float32Array ? tensor.data : Float32Array.from(tensor.data);
  return { rows, numRows };
}

/**
 * The `count` integers of the extra `name`, (count,) or (1, count). Throws `missing_field`, `invalid_embedding`.
 */
export function readIntegers(name: string, tensors: EmbeddingTensors, count: number): number[] {
  const tensor = tensors[name];
  if (tensor === undefined) {
    throw new SensoriumError('missing_field', `${name} is missing: this model needs it beside embeddings.`);
  }
  if (!tensor.isInteger) throw invalidEmbedding(name, 'must hold integers');
  const shape = tensor.shape.length <= 2 ? squeezedShape(tensor, 1) : undefined;
  if (shape?.[0] !== count || tensor.data.length !== count) {
    const expected = `[${count}] or [1, ${count}]`;
    throw invalidEmbedding(name, `has shape [${tensor.shape.join(', ')}]; expected ${expected}`);
  }
  return [...tensor.data];
}

/** The patch grid `name` of an item, (3,) or (1, 3). */
function readGrid(name: string, tensors: EmbeddingTensors, mergeSize: number): Grid {
  const grid = readIntegers(name, tensors, 3) as Grid;
  const [, height, width] = grid;
  const areCounts = grid.every((size) => Number.isInteger(size) && size >= 1 && size <= MAX_COUNT);
  if (!areCounts || height % mergeSize !== 0 || width % mergeSize !== 0) {
    const rule = `counts of patches, height and width multiples of ${mergeSize}`;
    throw invalidEmbedding(name, `is [${grid.join(', ')}]; expected ${rule}`);
  }
  return grid;
}

/** One number, of shape (), (1,) or (1, 1); undefined where it was not given. */
function readScalar(name: string, tensors: EmbeddingTensors): number | undefined {
  const tensor = tensors[name];
  if (tensor === undefined) return undefined;
  const [value] = tensor.data;
  if (tensor.data.length !== 1 || tensor.shape.length > 2 || value === undefined) {
    throw invalidEmbedding(name, `has shape [${tensor.shape.join(', ')}]; expected one number`);
  }
  return value;
}

function readSecondsPerGrid(tensors: EmbeddingTensors): number {
  const name = tensors['second_per_grid_ts'] === undefined ? 'video_second_per_grid' : 'second_per_grid_ts';
  const seconds = readScalar(name, tensors) ?? DEFAULT_SECONDS_PER_GRID;
  if (!(seconds >= 0 && seconds <= MAX_SECONDS)) throw invalidEmbedding(name, 'must be a number of seconds');
  return seconds;
}

async function toItem(
  addon: NativeAddon,
  modality: Modality,
  { rows, numRows }: { rows: Float32Array; numRows: number },
  grid: Grid,
  secondsPerGrid: number,
): Promise<ProcessedItem> {
  try {
    const media = await addon.embeddings(modality, rows, numRows, grid, secondsPerGrid);
    return { modality, media, numTokens: numRows, sizeBytes: media.sizeBytes };
  } catch (error) {
    const { code } = error as NativeError;
    if (code === 'invalid_media')
      throw invalidEmbedding(nameOfRows(modality), 'holds NaN or infinite values');
    if (code !== 'out_of_memory') throw error;
    throw new SensoriumError('out_of_memory', 'There is not enough memory for the embeddings.', {
      cause: error,
    });
  }
}

/** An item of a picture's or clip's rows with its `<modality>_grid_thw`. Throws `invalid_embedding`, `missing_field`. */
export async function processVisionEmbeddings(
  addon: NativeAddon,
  modality: 'image' | 'video',
  tensors: EmbeddingTensors,
  { width, mergeSize }: EmbeddingRules,
): Promise<ProcessedItem> {
  const found = readRows(modality, tensors, width);
  const gridName = `${modality}_grid_thw`;
  const grid = readGrid(gridName, tensors, mergeSize);
  const numCells = (grid[0] * grid[1] * grid[2]) / (mergeSize * mergeSize);
  if (numCells !== found.numRows) {
    const mismatch = `has ${found.numRows} rows, but ${gridName} [${grid.join(', ')}] stands for ${numCells}`;
    throw invalidEmbedding(nameOfRows(modality), mismatch);
  }
  const secondsPerGrid = modality === 'video' ? readSecondsPerGrid(tensors) : 0;
  const item = await toItem(addon, modality, found, grid, secondsPerGrid);
  return modality === 'video' ? { ...item, secondsPerGrid } : item;
}

/** An item of rows that need nothing beside them. Throws `invalid_embedding`, and what `checkCount` throws at their number. */
export async function processRows(
  addon: NativeAddon,
  modality: Modality,
  tensors: EmbeddingTensors,
  { width, checkCount }: { width: number; checkCount?: (numRows: number) => void },
): Promise<ProcessedItem> {
  const found = readRows(modality, tensors, width);
  checkCount?.(found.numRows);
  return await toItem(addon, modality, found, [0, 0, 0], 0);
}

/**
 * An item of a sound's rows. `audio_feature_lengths` (frames of mel) may stand beside them; then `numTokensOf` must give
 * as many rows. Throws `invalid_embedding`.
 */
export async function processAudioEmbeddings(
  addon: NativeAddon,
  tensors: EmbeddingTensors,
  { width }: { width: number },
  numTokensOf: (numFrames: number) => number,
): Promise<ProcessedItem> {
  const numFrames = readScalar('audio_feature_lengths', tensors);
  const checkCount = (numRows: number): void => {
    if (numFrames === undefined) return;
    // No tower makes more rows than it hears frames.
    const isCount = Number.isInteger(numFrames) && numFrames >= numRows && numFrames <= MAX_COUNT;
    if (isCount && numTokensOf(numFrames) === numRows) return;
    throw invalidEmbedding('audio_feature_lengths', `does not stand for the ${numRows} rows`);
  };
  return await processRows(addon, 'audio', tensors, { width, checkCount });
}
