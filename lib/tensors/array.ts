import type { TensorArray } from '../media/types.js';
import { invalidTensor } from './failure.js';
import type { DType } from './dtypes.js';
import { contiguousStrides, countElements, createView, type TensorView } from './tensor-view.js';

type TypedData = Exclude<TensorArray['data'], number[]>;

const isLittleEndianHost = new Uint8Array(new Uint16Array([1]).buffer)[0] === 1;

/** Element types that a typed array can hold; the first is meant where none is named. */
function typesOf(data: TypedData): readonly DType[] {
  if (data instanceof Float32Array) return ['float32'];
  if (data instanceof Float64Array) return ['float64'];
  if (data instanceof Int32Array) return ['int32'];
  return data instanceof BigInt64Array ? ['int64'] : ['float16', 'bfloat16'];
}

function isTyped(data: unknown): data is TypedData {
  return [Float32Array, Float64Array, Int32Array, BigInt64Array, Uint16Array].some(
    (type) => data instanceof type,
  );
}

/** Plain numbers as a typed array: whole ones are integers unless `dtype` says otherwise. */
function packNumbers(data: readonly unknown[], dtype: DType | undefined): TypedData {
  if (!data.every((value) => typeof value === 'number'))
    throw invalidTensor('holds something else than numbers');
  const areWhole = data.every((value) => Number.isSafeInteger(value));
  switch (dtype ?? (areWhole ? 'int64' : 'float64')) {
    case 'float64':
      return Float64Array.from(data);
    case 'float32':
      return Float32Array.from(data);
    case 'int32':
    case 'int64':
      if (!areWhole) throw invalidTensor('holds numbers that are no integers');
      return BigInt64Array.from(data, BigInt);
    default:
      throw invalidTensor('holds plain numbers, which are not of the type that it names');
  }
}

/**
 * A view of numbers in memory. `plainType`: what plain numbers without a `dtype` are; by default integers where all are whole.
 * Throws `invalid_embedding`.
 */
export function viewOfArray(array: TensorArray, plainType?: 'float32'): TensorView {
  const { shape, dtype } = array;
  const isPlain = Array.isArray(array.data);
  const data = Array.isArray(array.data) ? packNumbers(array.data, dtype ?? plainType) : array.data;
  if (!isTyped(data)) throw invalidTensor('has no data of a type that is read');
  const types = typesOf(data);
  const type = isPlain ? types[0] : (dtype ?? (types.length === 1 ? types[0] : undefined));
  if (type === undefined) throw invalidTensor("of a Uint16Array needs a dtype, 'float16' or 'bfloat16'");
  if (!types.includes(type)) throw invalidTensor(`names the type ${String(type)}, which its data are not`);
  if (!Array.isArray(shape)) throw invalidTensor('has no shape');
  const bytes = new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
  const strides = contiguousStrides(shape);
  const view = createView({
    dtype: type,
    shape,
    strides,
    offset: 0,
    bytes,
    isBigEndian: !isLittleEndianHost,
  });
  if (countElements(shape) !== data.length) {
    throw invalidTensor(`of shape [${shape.join(', ')}] does not fit its ${data.length} values`);
  }
  return view;
}
