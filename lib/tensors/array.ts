import type { TensorArray, TypedNumbers } from '../media/types.js';
import { invalidTensor } from './failure.js';
import type { DType } from './dtypes.js';
import { contiguousStrides, countElements, createView, type TensorView } from './tensor-view.js';

const isLittleEndianHost = new Uint8Array(new Uint16Array([1]).buffer)[0] === 1;

/** Element types that a typed array can hold; the first is meant where none is named. */
function typesOf(data: TypedNumbers): readonly DType[] {
  if (data instanceof Float32Array) return ['float32'];
  if (data instanceof Float64Array) return ['float64'];
  if (data instanceof Int32Array) return ['int32'];
  return data instanceof BigInt64Array ? ['int64'] : ['float16', 'bfloat16'];
}

function isTyped(data: unknown): data is TypedNumbers {
  return [Float32Array, Float64Array, Int32Array, BigInt64Array, Uint16Array].some(
    (type) => data instanceof type,
  );
}

/** A view of numbers in memory, typed. Throws `invalid_embedding`. */
export function viewOfArray({ data, shape, dtype }: TensorArray<TypedNumbers>): TensorView {
  if (!isTyped(data)) throw invalidTensor('has no data of a type that is read');
  const types = typesOf(data);
  const type = dtype ?? (types.length === 1 ? types[0] : undefined);
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
