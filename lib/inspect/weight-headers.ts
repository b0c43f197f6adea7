import { open } from 'node:fs/promises';
import { join } from 'node:path';
import { readOptionalJson } from '../model-folder/json-file.js';

const MAX_HEADER_BYTES = 100 * 2 ** 20;
const LENGTH_BYTES = 8;
const BYTES_PER_ELEMENT: ReadonlyMap<string, number> = new Map([
  ['F32', 4],
  ['F16', 2],
  ['BF16', 2],
]);

/** What the headers of a checkpoint's weight files say together. */
export interface WeightHeaders {
  names: Set<string>;
  numTensors: number;
  numParameters: number;
  storedBytes: number;
  /** Parameters by the type they are stored in. */
  numByType: Map<string, number>;
  /** What is wrong with the files, in words. */
  problems: string[];
}

interface TensorEntry {
  name: string;
  dtype: string;
  shape: number[];
}

/** Reads the headers of all weight files of the folders; a missing or damaged file becomes a problem. */
export async function readWeightHeaders(...folders: string[]): Promise<WeightHeaders> {
  const headers: WeightHeaders = {
    names: new Set(),
    numTensors: 0,
    numParameters: 0,
    storedBytes: 0,
    numByType: new Map(),
    problems: [],
  };
  for (const folder of folders) await addFolder(headers, folder);
  const unread = [...headers.numByType.keys()].filter((type) => !BYTES_PER_ELEMENT.has(type));
  if (unread.length > 0)
    headers.problems.push(`holds weights stored as ${unread.join(', ')}; F32, F16 and BF16 are read`);
  return headers;
}

async function addFolder(headers: WeightHeaders, folder: string): Promise<void> {
  for (const name of await weightFiles(folder, headers.problems)) {
    try {
      for (const entry of await readEntries(join(folder, name))) addTensor(headers, entry);
    } catch (error) {
      headers.problems.push(`${name} ${describe(error)}`);
    }
  }
}

async function weightFiles(folder: string, problems: string[]): Promise<string[]> {
  const index = await readOptionalJson(join(folder, 'model.safetensors.index.json'));
  if (index === undefined) return ['model.safetensors'];
  const names = Object.values((index['weight_map'] ?? {}) as Record<string, unknown>);
  const isShard = (name: unknown): name is string => typeof name === 'string' && !/[/\\]/.test(name);
  if (!names.every(isShard)) problems.push('model.safetensors.index.json names shards outside the folder');
  return [...new Set(names.filter(isShard))].sort();
}

function describe(error: unknown): string {
  if ((error as NodeJS.ErrnoException).code === 'ENOENT') return 'is missing';
  return error instanceof RangeError ? error.message : 'cannot be read';
}

async function readEntries(path: string): Promise<TensorEntry[]> {
  const file = await open(path);
  try {
    const length = Buffer.alloc(LENGTH_BYTES);
    await file.read(length, 0, LENGTH_BYTES, 0);
    const numBytes = length.readBigUInt64LE();
    const { size } = await file.stat();
    if (numBytes > BigInt(Math.min(MAX_HEADER_BYTES, size - LENGTH_BYTES)))
      throw new RangeError('has a damaged header');
    const text = Buffer.alloc(Number(numBytes));
    await file.read(text, 0, text.length, LENGTH_BYTES);
    return parseEntries(text.toString('utf8'));
  } finally {
    await file.close();
  }
}

function parseEntries(text: string): TensorEntry[] {
  let header: unknown;
  try {
    header = JSON.parse(text);
  } catch {
    throw new RangeError('has a damaged header');
  }
  const entries = Object.entries((header ?? {}) as Record<string, unknown>);
  return entries.filter(([name]) => name !== '__metadata__').map(([name, entry]) => toEntry(name, entry));
}

function toEntry(name: string, entry: unknown): TensorEntry {
  const { dtype, shape } = (entry ?? {}) as Partial<Record<string, unknown>>;
  if (typeof dtype === 'string' && Array.isArray(shape) && shape.every((size) => Number.isInteger(size)))
    return { name, dtype, shape: shape as number[] };
  throw new RangeError('has a damaged header');
}

function addTensor(headers: WeightHeaders, { name, dtype, shape }: TensorEntry): void {
  headers.names.add(name);
  const numElements = shape.reduce((product, size) => product * size, 1);
  headers.numTensors++;
  headers.numParameters += numElements;
  headers.storedBytes += numElements * (BYTES_PER_ELEMENT.get(dtype) ?? 1);
  headers.numByType.set(dtype, (headers.numByType.get(dtype) ?? 0) + numElements);
}
