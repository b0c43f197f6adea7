import type { DenseTensor } from '../media/types.js';
import { BYTES_PER_ELEMENT, HALVES, isIntegerType, type DType } from './dtypes.js';
import { invalidTensor } from './failure.js';
import { countElements, type TensorView } from './tensor-view.js';

/** Elements converted in one turn of the event loop. */
const ELEMENTS_PER_TURN = 512 * 1024;

/** Elements `from`, `from + step`, ... of a view's bytes to `to[start ...]`. */
interface Run {
  data: DataView;
  /** Byte offset of the first element, and bytes between elements. */
  from: number;
  step: number;
  isLittle: boolean;
  start: number;
  count: number;
}

type Copy = (run: Run, to: Float32Array | Float64Array) => void;

const copyFloat64: Copy = ({ data, from, step, isLittle, start, count }, to) => {
  for (let i = 0; i < count; i++) to[start + i] = data.getFloat64(from + i * step, isLittle);
};

const copyFloat32: Copy = ({ data, from, step, isLittle, start, count }, to) => {
  for (let i = 0; i < count; i++) to[start + i] = data.getFloat32(from + i * step, isLittle);
};

const copyFloat16: Copy = ({ data, from, step, isLittle, start, count }, to) => {
  for (let i = 0; i < count; i++) to[start + i] = HALVES[data.getUint16(from + i * step, isLittle)] as number;
};

const copyBfloat16: Copy = ({ data, from, step, isLittle, start, count }, to) => {
  const bits = new Uint32Array(to.buffer, to.byteOffset, to.length);
  for (let i = 0; i < count; i++) bits[start + i] = data.getUint16(from + i * step, isLittle) << 16;
};

const copyInt32: Copy = ({ data, from, step, isLittle, start, count }, to) => {
  for (let i = 0; i < count; i++) to[start + i] = data.getInt32(from + i * step, isLittle);
};

const copyInt64: Copy = ({ data, from, step, isLittle, start, count }, to) => {
  for (let i = 0; i < count; i++) {
    const value = Number(data.getBigInt64(from + i * step, isLittle));
    if (!Number.isSafeInteger(value)) throw invalidTensor('holds an integer that is too large');
    to[start + i] = value;
  }
};

const COPIES: Readonly<Record<DType, Copy>> = {
  float64: copyFloat64,
  float32: copyFloat32,
  float16: copyFloat16,
  bfloat16: copyBfloat16,
  int64: copyInt64,
  int32: copyInt32,
};

interface Axis {
  size: number;
  stride: number;
}

/** The axes with those that continue one another joined; a contiguous view has one. */
function joinAxes({ shape, strides }: TensorView): Axis[] {
  const axes: Axis[] = [{ size: 1, stride: 1 }];
  for (const [i, size] of shape.entries()) {
    if (size === 1) continue;
    const stride = strides[i] as number;
    const last = axes.at(-1) as Axis;
    if (last.size === 1 || last.stride === size * stride)
      axes.splice(-1, 1, { size: last.size * size, stride });
    else axes.push({ size, stride });
  }
  return axes;
}

/** Element offsets of the first element of each innermost run, in order. */
function* runOffsets(axes: readonly Axis[], offset: number): Generator<number> {
  const [axis, ...inner] = axes;
  if (axis === undefined || inner.length === 0) {
    yield offset;
    return;
  }
  for (let i = 0; i < axis.size; i++) yield* runOffsets(inner, offset + i * axis.stride);
}

const isLittleEndianHost = new Uint8Array(new Uint16Array([1]).buffer)[0] === 1;

/** The bytes themselves as floats, where they lie as float32 lies in memory. */
function sharedFloats(view: TensorView, axes: readonly Axis[]): Float32Array | undefined {
  const { dtype, bytes, offset, isBigEndian } = view;
  const start = bytes.byteOffset + offset * 4;
  const isDense = axes.length === 1 && (axes[0]?.size === 1 || axes[0]?.stride === 1);
  if (dtype !== 'float32' || isBigEndian === isLittleEndianHost || !isDense || start % 4 !== 0)
    return undefined;
  return new Float32Array(bytes.buffer, start, countElements(view.shape));
}

function nextTurn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

/**
 * The view's elements, dense and row-major: floats as float32, integers as exact numbers. Shares the memory of float32 views
 * that are dense already. Long tensors leave the event loop free. Throws `invalid_embedding` on an integer beyond 2^53, and
 * what `signal` was aborted with.
 */
export async function toDense(view: TensorView, signal?: AbortSignal): Promise<DenseTensor> {
  const { dtype, shape, bytes, isBigEndian } = view;
  const isInteger = isIntegerType(dtype);
  const numElements = countElements(shape);
  if (numElements === 0) return { data: new Float32Array(0), shape, isInteger };
  const axes = joinAxes(view);
  const shared = sharedFloats(view, axes);
  if (shared !== undefined) return { data: shared, shape, isInteger };
  const to = isInteger ? new Float64Array(numElements) : new Float32Array(numElements);
  const { size, stride } = axes.at(-1) as Axis;
  const numBytes = BYTES_PER_ELEMENT[dtype];
  const data = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  let start = 0;
  let numInTurn = 0;
  for (const offset of runOffsets(axes, view.offset)) {
    for (let done = 0; done < size;) {
      const count = Math.min(size - done, ELEMENTS_PER_TURN - numInTurn);
      const from = (offset + done * stride) * numBytes;
      COPIES[dtype]({ data, from, step: stride * numBytes, isLittle: !isBigEndian, start, count }, to);
      start += count;
      done += count;
      numInTurn += count;
      if (numInTurn < ELEMENTS_PER_TURN) continue;
      numInTurn = 0;
      await nextTurn();
      signal?.throwIfAborted();
    }
  }
  return { data: to, shape, isInteger };
}
