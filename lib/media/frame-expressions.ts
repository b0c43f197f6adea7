/**
 * Expressions of ffmpeg's `select` filter over ascending whole numbers. They are search trees: ffmpeg refuses long sums,
 * and evaluates what it takes for every picture.
 */

/** 1 where the variable is one of `values`, else 0. */
export function isOneOf(variable: 'n' | 'pts', values: readonly number[]): string {
  const search = (low: number, high: number): string => {
    if (high - low === 1) return `eq(${variable},${values[low] as number})`;
    const middle = (low + high) >> 1;
    return `if(lt(${variable},${values[middle] as number}),${search(low, middle)},${search(middle, high)})`;
  };
  return search(0, values.length);
}

/** How many of `values` the variable has reached. */
export function numReached(variable: 'n' | 'pts', values: readonly number[]): string {
  const search = (low: number, high: number): string => {
    if (low === high) return `${low}`;
    const middle = (low + high) >> 1;
    return `if(lt(${variable},${values[middle] as number}),${search(low, middle)},${search(middle + 1, high)})`;
  };
  return search(0, values.length);
}

/** 1 for the first picture at or after each of `values`, before the next of them. */
export function isFirstSince(variable: 'n' | 'pts', values: readonly number[]): string {
  // Register 1: how many have been reached; register 0: the same when a picture was last taken.
  return `if(gt(st(1,${numReached(variable, values)}),ld(0)),1+0*st(0,ld(1)),0)`;
}
