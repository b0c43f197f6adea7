import { BYTES_PER_ELEMENT, isIntegerType, type DType } from './dtypes.js';
import { invalidTensor } from './failure.js';

/** More axes than any tensor here has. */
const MAX_RANK = 8;
const MAX_ELEMENTS = Number.MAX_SAFE_INTEGER / 16;

/** Elements somewhere in bytes; sizes, strides and offset count elements. Made by `createView`, which checks them. */
export interface TensorView {
  dtype: DType;
  shape: number[];
  strides: number[];
  offset: number;
  bytes: Uint8Array;
  isBigEndian: boolean;
}

const isSize = (value: number): boolean => Number.isSafeInteger(value) && value >= 0;

/** Product of the dimensions. Throws `invalid_embedding` where it is beyond exact numbers, also behind a dimension of 0. */
export function countElements(shape: readonly number[]): number {
  let product = 1;
  for (const size of shape) {
    if (size !== 0) product *= size;
    if (product > MAX_ELEMENTS) throw invalidTensor('has a shape that no memory holds');
  }
  return shape.includes(0) ? 0 : product;
}

/** Strides of row-major elements; of column-major ones where `isFortranOrder`. */
export function contiguousStrides(shape: readonly number[], isFortranOrder = false): number[] {
  const strides = new Array<number>(shape.length);
  let stride = 1;
  for (let i = 0; i < shape.length; i++) {
    const axis = isFortranOrder ? i : shape.length - 1 - i;
    strides[axis] = stride;
    stride *= Math.max(1, shape[axis] as number);
  }
  return strides;
}

/** The view, once every element is known to lie inside `bytes`. Throws `invalid_embedding`. */
export function createView(view: TensorView): TensorView {
  const { dtype, shape, strides, offset, bytes } = view;
  if (shape.length > MAX_RANK) throw invalidTensor(`has more than ${MAX_RANK} dimensions`);
  if (!shape.every(isSize)) throw invalidTensor('has a dimension that is no size');
  if (strides.length !== shape.length || !strides.every(isSize) || !isSize(offset)) {
    throw invalidTensor('has strides that do not fit its shape');
  }
  const numElements = countElements(shape);
  let last = offset;
  for (const [axis, size] of shape.entries()) last += Math.max(0, size - 1) * (strides[axis] as number);
  const numHeld = Math.floor(bytes.length / BYTES_PER_ELEMENT[dtype]);
  if (!isSize(last) || (numElements > 0 ? last >= numHeld : offset > numHeld)) {
    throw invalidTensor('reaches beyond its data');
  }
  return view;
}

/** Elements [start, start + count) of the first axis. Throws `invalid_embedding` where it has not as many. */
export function sliceView(view: TensorView, { start, count }: { start: number; count: number }): TensorView {
  const [size = 0, ...rest] = view.shape;
  if (start + count > size) throw invalidTensor('holds fewer items than are taken from it');
  return { ...view, shape: [count, ...rest], offset: view.offset + start * (view.strides[0] as number) };
}

/** Bytes that `toDense` allocates at most. */
export function denseBytes({ dtype, shape }: TensorView): number {
  return countElements(shape) * (isIntegerType(dtype) ? 8 : 4);
}
