import type { SensoriumError } from '../errors.js';
import type { NativeEvent, NativeSampling } from '../native/addon.js';
import type { ExpandedPrompt } from '../processors/types.js';
import { errorOfNativeCode } from './native-errors.js';
import type { PoolingResult } from './types.js';

/** A prompt whose last token's hidden state is wanted. */
export interface PoolingRequest {
  prompt: ExpandedPrompt;
  cacheSalt: string;
  /** Whether the result has length 1. */
  isNormalized: boolean;
  signal?: AbortSignal | undefined;
}

/** What the engine wants to know of every request; a pooled one chooses no tokens. */
export const POOLING_SAMPLING: NativeSampling = {
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

/** One submitted prompt: takes the engine's event, gives the result. */
export class PooledRequest {
  private readonly promise: Promise<PoolingResult>;
  private settle!: { resolve: (result: PoolingResult) => void; reject: (error: SensoriumError) => void };

  constructor(private readonly numPromptTokens: number) {
    this.promise = new Promise((resolve, reject) => (this.settle = { resolve, reject }));
    this.promise.catch(() => undefined);
  }

  result(): Promise<PoolingResult> {
    return this.promise;
  }

  push({ finishReason, embedding, errorCode, errorMessage, numCachedTokens }: NativeEvent): void {
    if (embedding !== undefined) {
      this.settle.resolve({ embedding, numPromptTokens: this.numPromptTokens, numCachedTokens });
    } else if (finishReason !== undefined) {
      this.fail(errorOfNativeCode(errorCode, errorMessage ?? 'The engine ended the request.'));
    }
  }

  fail(error: SensoriumError): void {
    this.settle.reject(error);
  }
}
