import type { SensoriumError } from '../errors.js';
import type { NativeEvent, NativeSampling } from '../native/addon.js';
import { errorOfNativeCode } from './native-errors.js';

/** What the engine wants to know of every request; one that generates nothing chooses no tokens. */
export const NO_SAMPLING: NativeSampling = {
  temperature: 0,
  topP: 1,
  topK: 0,
  minP: 0,
  repetitionPenalty: 1,
  presencePenalty: 0,
  frequencyPenalty: 0,
  logitBias: [],
  maxTokens: 1,
  minTokens: 0,
  ignoreEos: true,
  stopTokenIds: [],
  n: 1,
};

/** One submitted request that generates nothing: takes the engine's event, gives what `read` finds in it. */
export class SingleResultRequest<Result> {
  private readonly promise: Promise<Result>;
  private settle!: { resolve: (result: Result) => void; reject: (error: SensoriumError) => void };

  constructor(private readonly read: (event: NativeEvent) => Result | undefined) {
    this.promise = new Promise((resolve, reject) => (this.settle = { resolve, reject }));
    this.promise.catch(() => undefined);
  }

  result(): Promise<Result> {
    return this.promise;
  }

  push(event: NativeEvent): void {
    const result = this.read(event);
    if (result !== undefined) {
      this.settle.resolve(result);
    } else if (event.finishReason !== undefined) {
      this.fail(errorOfNativeCode(event.errorCode, event.errorMessage ?? 'The engine ended the request.'));
    }
  }

  fail(error: SensoriumError): void {
    this.settle.reject(error);
  }
}
