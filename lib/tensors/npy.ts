import type { DType } from './dtypes.js';
import { invalidTensor } from './failure.js';
import { BYTES_PER_ELEMENT } from './dtypes.js';
import { contiguousStrides, countElements, createView, type TensorView } from './tensor-view.js';

const MAGIC = Buffer.from('\x93NUMPY', 'latin1');
const MAX_HEADER_BYTES = 4096;
const TYPES: Readonly<Record<string, DType>> = {
  f8: 'float64',
  f4: 'float32',
  f2: 'float16',
  i8: 'int64',
  i4: 'int32',
};

export function isNpy(bytes: Uint8Array): boolean {
  return MAGIC.equals(bytes.subarray(0, MAGIC.length));
}

const damaged = (): Error => invalidTensor('is a damaged npy file');

/** The dictionary's text and where the data begin. */
function readHeader(bytes: Uint8Array): { text: string; dataStart: number } {
  const file = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const version = file[6];
  if (file.length < 12 || (version !== 1 && version !== 2 && version !== 3)) throw damaged();
  const start = version === 1 ? 10 : 12;
  const length = version === 1 ? file.readUInt16LE(8) : file.readUInt32LE(8);
  if (length > MAX_HEADER_BYTES || start + length > file.length) throw damaged();
  return { text: file.toString('latin1', start, start + length), dataStart: start + length };
}

/** The three fields that numpy writes, in any order, and nothing else. */
function parseHeader(text: string): { descr: string; isFortranOrder: boolean; shape: number[] } {
  const body = /^\{(.*)\}\s*$/s.exec(text.trim())?.[1];
  if (body === undefined) throw damaged();
  const descr = /'descr'\s*:\s*'([^']*)'/.exec(body);
  const order = /'fortran_order'\s*:\s*(True|False)/.exec(body);
  const shape = /'shape'\s*:\s*\(\s*((?:\d{1,16}\s*,\s*)*(?:\d{1,16})?)\s*\)/.exec(body);
  if (!descr || !order || !shape) throw damaged();
  const rest = [descr[0], order[0], shape[0]].reduce((left, field) => left.replace(field, ''), body);
  if (!/^[\s,]*$/.test(rest)) throw damaged();
  const sizes = (shape[1] as string).split(',').filter((size) => size.trim() !== '');
  return { descr: descr[1] as string, isFortranOrder: order[1] === 'True', shape: sizes.map(Number) };
}

/** The array of an npy file (versions 1 to 3; no objects, no records). Throws `invalid_embedding`. */
export function parseNpy(bytes: Uint8Array): TensorView {
  const { text, dataStart } = readHeader(bytes);
  const { descr, isFortranOrder, shape } = parseHeader(text);
  const dtype = Object.hasOwn(TYPES, descr.slice(1)) ? TYPES[descr.slice(1)] : undefined;
  const order = descr[0];
  if (dtype === undefined || !['<', '>', '='].includes(order ?? '')) {
    throw invalidTensor('is an npy file of a type that is not read (floats and 32 or 64 bit integers are)');
  }
  const data = bytes.subarray(dataStart);
  const strides = contiguousStrides(shape, isFortranOrder);
  const view = createView({ dtype, shape, strides, offset: 0, bytes: data, isBigEndian: order === '>' });
  if (countElements(shape) * BYTES_PER_ELEMENT[dtype] !== data.length) throw damaged();
  return view;
}
