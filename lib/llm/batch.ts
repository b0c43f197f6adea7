import type { RequestResult, RunningRequest } from '../engine/types.js';
import { toSensoriumError, SensoriumError } from '../errors.js';
import type { BatchProgress } from './types.js';

export interface BatchOptions {
  /** Requests prepared or running at once. */
  maxInFlight: number;
  signal?: AbortSignal | undefined;
  onProgress?: ((progress: BatchProgress) => void) | undefined;
}

function atIndex(error: unknown, index: number): SensoriumError {
  const { code, message, param, details } = toSensoriumError(error);
  return new SensoriumError(code, `Entry ${index} of the batch: ${message}`, {
    param: param ?? undefined,
    cause: error,
    details: { ...details, index },
  });
}

/** Results in the order of `inputs`. The first failure aborts the others and is thrown, naming its index. */
export async function runBatch<Input>(
  inputs: readonly Input[],
  submit: (input: Input, signal: AbortSignal) => Promise<RunningRequest>,
  options: BatchOptions,
): Promise<RequestResult[]> {
  const results: RequestResult[] = [];
  const failure = new AbortController();
  const signals = [failure.signal, options.signal].filter((signal) => signal !== undefined);
  const signal = AbortSignal.any(signals);
  let next = 0;
  let numDone = 0;
  let firstError: SensoriumError | undefined;
  const work = async (): Promise<void> => {
    for (let i = next++; i < inputs.length && firstError === undefined; i = next++) {
      try {
        const running = await submit(inputs[i] as Input, signal);
        results[i] = await running.result();
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
