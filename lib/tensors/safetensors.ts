import { BYTES_PER_ELEMENT, type DType } from './dtypes.js';
import { invalidTensor } from './failure.js';
import { contiguousStrides, countElements, createView, type TensorView } from './tensor-view.js';

const LENGTH_BYTES = 8;
const MAX_HEADER_BYTES = 1024 * 1024;
const MAX_TENSORS = 256;
const OPENING_BRACE = 0x7b;
const TYPES: Readonly<Record<string, DType>> = {
  F64: 'float64',
  F32: 'float32',
  F16: 'float16',
  BF16: 'bfloat16',
  I64: 'int64',
  I32: 'int32',
};

type Range = [begin: number, end: number];

const damaged = (reason: string): Error => invalidTensor(`is in a damaged safetensors file: ${reason}`);

/** Whether the bytes can only be meant as safetensors. */
export function isSafetensors(bytes: Uint8Array): boolean {
  return bytes.length > LENGTH_BYTES && bytes[LENGTH_BYTES] === OPENING_BRACE;
}

/** Whether the bytes are safetensors that no picture, film or sound begins like: their header lies inside them. */
export const isWholeSafetensors = (bytes: Uint8Array): boolean =>
  isSafetensors(bytes) && headerLength(bytes) <= BigInt(bytes.length - LENGTH_BYTES);

const headerLength = (bytes: Uint8Array): bigint =>
  new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength).getBigUint64(0, true);

function readHeader(bytes: Uint8Array): { header: Record<string, unknown>; data: Uint8Array } {
  const length = headerLength(bytes);
  if (length > BigInt(Math.min(MAX_HEADER_BYTES, bytes.length - LENGTH_BYTES))) {
    throw damaged('its header is too long');
  }
  const end = LENGTH_BYTES + Number(length);
  const header = parseHeader(bytes.subarray(LENGTH_BYTES, end));
  return { header, data: bytes.subarray(end) };
}

function parseHeader(bytes: Uint8Array): Record<string, unknown> {
  let text: string;
  let header: unknown;
  try {
    text = new TextDecoder('utf-8', { fatal: true }).decode(bytes);
    header = JSON.parse(text);
  } catch {
    throw damaged('its header is no JSON');
  }
  if (!isObject(header)) throw damaged('its header is no object');
  // Sizes are written as integers; JSON.parse takes 2.0 for 2.
  if (/\d[.eE]/.test(text.replace(/"(?:[^"\\]|\\.)*"/g, '""'))) throw damaged('it holds fractions');
  return header;
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

const isSizes = (value: unknown): value is number[] =>
  Array.isArray(value) && value.every((size) => Number.isSafeInteger(size) && size >= 0);

function parseEntry(entry: unknown, data: Uint8Array): { view: TensorView; range: Range } {
  if (!isObject(entry)) throw damaged('an entry is no object');
  const { dtype: name, shape, data_offsets: range } = entry;
  const dtype = typeof name === 'string' && Object.hasOwn(TYPES, name) ? TYPES[name] : undefined;
  if (dtype === undefined) {
    throw invalidTensor('is of a type that is not read (F64, F32, F16, BF16, I64 and I32 are)');
  }
  if (!isSizes(shape)) throw damaged('a shape is no list of sizes');
  if (!isSizes(range) || range.length !== 2) throw damaged('data_offsets are no two offsets');
  const [begin, end] = range as Range;
  if (begin > end || end > data.length) throw damaged('data_offsets lie outside the data');
  if (countElements(shape) * BYTES_PER_ELEMENT[dtype] !== end - begin) throw damaged('shape and data differ');
  const bytes = data.subarray(begin, end);
  const strides = contiguousStrides(shape);
  return {
    view: createView({ dtype, shape, strides, offset: 0, bytes, isBigEndian: false }),
    range: [begin, end],
  };
}

/** The ranges must join without overlap or gap and end with the data. */
function checkCoverage(ranges: Range[], numBytes: number): void {
  let position = 0;
  for (const [begin, end] of ranges.sort((a, b) => a[0] - b[0] || a[1] - b[1])) {
    if (begin !== position) throw damaged('tensors overlap or leave a gap');
    position = end;
  }
  if (position !== numBytes) throw damaged('bytes follow the last tensor');
}

/** The tensors of a safetensors file by name. Throws `invalid_embedding`. */
export function parseSafetensors(bytes: Uint8Array): Map<string, TensorView> {
  const { header, data } = readHeader(bytes);
  const entries = Object.entries(header).filter(([name]) => name !== '__metadata__');
  if (entries.length > MAX_TENSORS) throw damaged(`it has more than ${MAX_TENSORS} tensors`);
  const parsed = entries.map(([name, entry]) => ({ name, ...parseEntry(entry, data) }));
  checkCoverage(
    parsed.map(({ range }) => range),
    data.length,
  );
  return new Map(parsed.map(({ name, view }) => [name, view]));
}
