import type { NestedNumbers, TensorArray, TypedNumbers } from '../media/types.js';
import type { DType } from './dtypes.js';
import { invalidTensor } from './failure.js';
import { countElements } from './tensor-view.js';

/** Numbers, or lists that end the turn, of one turn of the event loop. */
const STEPS_PER_TURN = 128 * 1024;
/** Types that plain numbers may be said to have. */
const PLAIN_TYPES: readonly (DType | undefined)[] = [undefined, 'float32', 'float64', 'int32', 'int64'];

/** Leaves the event loop free between pieces of long work. */
class Turns {
  private numSteps = 0;

  constructor(private readonly signal: AbortSignal | undefined) {}

  async afterSteps(count: number): Promise<void> {
    this.numSteps += count;
    if (this.numSteps < STEPS_PER_TURN) return;
    this.numSteps = 0;
    await new Promise((resolve) => setImmediate(resolve));
    this.signal?.throwIfAborted();
  }
}

/** The innermost lists, in order. Throws `invalid_embedding` where lists of one depth differ in length. */
function* innermostLists(
  list: readonly unknown[],
  shape: readonly number[],
  axis = 0,
): Generator<readonly unknown[]> {
  if (axis === shape.length - 1) {
    yield list;
    return;
  }
  for (const entry of list) {
    if (!Array.isArray(entry) || entry.length !== shape[axis + 1])
      throw invalidTensor('holds lists of different lengths');
    yield* innermostLists(entry, shape, axis + 1);
  }
}

/** Writes numbers to `to` and tells whether all are whole. Throws `invalid_embedding` where one is no number. */
function copyNumbers(
  from: readonly unknown[],
  begin: number,
  end: number,
  to: Float32Array | Float64Array,
  start: number,
): boolean {
  let areWhole = true;
  for (let i = begin; i < end; i++) {
    const value = from[i];
    if (typeof value !== 'number') throw invalidTensor('holds something else than numbers');
    areWhole &&= Number.isSafeInteger(value);
    to[start + i - begin] = value;
  }
  return areWhole;
}

/** Whole numbers as a BigInt64Array, in turns. */
async function toIntegers(numbers: Float64Array, turns: Turns): Promise<BigInt64Array> {
  const integers = new BigInt64Array(numbers.length);
  for (let begin = 0; begin < numbers.length; begin += STEPS_PER_TURN) {
    const end = Math.min(numbers.length, begin + STEPS_PER_TURN);
    for (let i = begin; i < end; i++) integers[i] = BigInt(numbers[i] as number);
    await turns.afterSteps(end - begin);
  }
  return integers;
}

/**
 * Plain numbers, flat or nested, as a typed array: of `dtype`, else integers where all are whole. However many there are, the
 * event loop stays free. Throws `invalid_embedding`, and what `signal` was aborted with.
 */
export async function packNumbers(
  numbers: NestedNumbers,
  dtype: DType | undefined,
  signal?: AbortSignal,
): Promise<TensorArray<TypedNumbers>> {
  if (!PLAIN_TYPES.includes(dtype))
    throw invalidTensor('holds plain numbers, which are not of the type that it names');
  const { list, shape } = numbers;
  const turns = new Turns(signal);
  const packed = new (dtype === 'float32' ? Float32Array : Float64Array)(countElements(shape));
  let areWhole = true;
  let numPacked = 0;
  for (const inner of innermostLists(list, shape)) {
    for (let begin = 0; begin < inner.length; begin += STEPS_PER_TURN) {
      const end = Math.min(inner.length, begin + STEPS_PER_TURN);
      areWhole = copyNumbers(inner, begin, end, packed, numPacked) && areWhole;
      numPacked += end - begin;
      await turns.afterSteps(end - begin);
    }
    await turns.afterSteps(1);
  }
  const floats: TensorArray<TypedNumbers> = { data: packed, shape: [...shape] };
  if (packed instanceof Float32Array || dtype === 'float64') return floats;
  if (dtype !== undefined && !areWhole) throw invalidTensor('holds numbers that are no integers');
  return areWhole ? { data: await toIntegers(packed, turns), shape: [...shape] } : floats;
}
