import { toSensoriumError, SensoriumError } from '../errors.js';
import { checkCallOptions } from './call-options.js';
import type { BatchProgress, GenerateOptions } from './types.js';

export interface BatchOptions {
  /** Requests prepared or running at once. */
  maxInFlight: number;
  signal?: AbortSignal | undefined;
  onProgress?: ((progress: BatchProgress) => void) | undefined;
}

/**
 * Options of the entry at an index, ended by `signal` too: those of the batch, or its own of a list that has one for each
 * entry. A request id of the batch would be that of many. Throws `invalid_option`.
 */
export function optionsOfEntries<Options extends GenerateOptions>(
  options: Options | readonly Options[],
  numEntries: number,
): (index: number, signal: AbortSignal) => Options {
  if (!isList(options)) {
    checkCallOptions(options);
    return (_index, signal) => ({ ...options, requestId: undefined, signal });
  }
  if (options.length !== numEntries) {
    const message = `The lengths of the batch (${numEntries}) and of its options (${options.length}) must be the same.`;
    throw new SensoriumError('invalid_option', message, { param: 'options' });
  }
  for (const own of options) checkCallOptions(own);
  return (index, signal) => {
    const own = options[index] as Options;
    return { ...own, signal: own.signal === undefined ? signal : AbortSignal.any([own.signal, signal]) };
  };
}

const isList = <T>(value: T | readonly T[]): value is readonly T[] => Array.isArray(value);

function atIndex(error: unknown, index: number): SensoriumError {
  const { code, message, param, details } = toSensoriumError(error);
  return new SensoriumError(code, `Entry ${index} of the batch: ${message}`, {
    param: param ?? undefined,
    cause: error,
    details: { ...details, index },
  });
}

/** Results in the order of `inputs`. The first failure aborts the others and is thrown, naming its index. */
export async function runBatch<Input, Result>(
  inputs: readonly Input[],
  run: (input: Input, signal: AbortSignal, index: number) => Promise<Result>,
  options: BatchOptions,
): Promise<Result[]> {
  const results: Result[] = [];
  const failure = new AbortController();
  const signals = [failure.signal, options.signal].filter((signal) => signal !== undefined);
  const signal = AbortSignal.any(signals);
  let next = 0;
  let numDone = 0;
  let firstError: SensoriumError | undefined;
  const work = async (): Promise<void> => {
    for (let i = next++; i < inputs.length && firstError === undefined; i = next++) {
      try {
        results[i] = await run(inputs[i] as Input, signal, i);
        options.onProgress?.({ numDone: ++numDone, numTotal: inputs.length });
      } catch (error) {
        firstError ??= options.signal?.aborted === true ? toSensoriumError(error) : atIndex(error, i);
        failure.abort();
      }
    }
  };
  await Promise.all(Array.from({ length: Math.min(options.maxInFlight, inputs.length) }, work));
  if (firstError !== undefined) throw firstError;
  return results;
}
