import type { NativeSampling } from '../native/addon.js';
import type { ExpandedPrompt } from '../processors/types.js';
import type { SamplingOptions } from '../request/types.js';

export type FinishReason = 'stop' | 'length' | 'abort';

export interface TokenLogprob {
  tokenId: number;
  /** The token's text (may be a partial character: see bytes). */
  token: string;
  bytes: number[];
  logprob: number;
  rank: number;
  top: { tokenId: number; token: string; bytes: number[]; logprob: number }[];
}

/** One piece of news about one continuation: what a stream event carries. */
export interface OutputDelta {
  index: number;
  /** Text that became certain; may be empty while a character is incomplete or a stop string may be starting. */
  text: string;
  tokenIds: number[];
  logprobs?: TokenLogprob[] | undefined;
  finishReason?: FinishReason | undefined;
  /** The stop string or stop token id that ended it; null for the model's own end. */
  stopReason?: string | number | null | undefined;
}

export interface Usage {
  promptTokens: number;
  completionTokens: number;
  totalTokens: number;
  /** Prompt tokens taken from the prefix cache. */
  cachedTokens: number;
  /** Media items that were not encoded again. */
  cachedMedia: number;
  imageTokens: number;
  videoTokens: number;
  audioTokens: number;
}

/** Milliseconds by stage. */
export interface Timings {
  fetchMs: number;
  preprocessMs: number;
  queuedMs: number;
  encodeMs: number;
  prefillMs: number;
  decodeMs: number;
  timeToFirstTokenMs: number;
  totalMs: number;
}

export interface CompletionOutput {
  index: number;
  text: string;
  tokenIds: number[];
  finishReason: FinishReason;
  stopReason: string | number | null;
  logprobs?: TokenLogprob[] | undefined;
}

export interface RequestResult {
  requestId: string;
  promptTokenIds: number[];
  outputs: CompletionOutput[];
  usage: Usage;
  timings: Timings;
}

/** A request the engine runs: an expanded prompt and checked sampling. */
export interface GenerationRequest {
  requestId: string;
  prompt: ExpandedPrompt;
  sampling: SamplingOptions;
  /** What the answer may consist of, whatever the sampling says. */
  constraints?: Pick<NativeSampling, 'allowedIds' | 'rules'> | undefined;
  /** Tenant: caches are shared only within one. */
  cacheSalt: string;
  signal?: AbortSignal | undefined;
  /** Stage times measured before the engine. */
  timings?: Partial<Timings> | undefined;
}

/** A running request: iterate for deltas (one per engine step while the consumer keeps up), or await the result. */
export interface RunningRequest extends AsyncIterable<OutputDelta> {
  readonly requestId: string;
  readonly promptTokenIds: number[];
  /** Resolves when all continuations ended; rejects with a SensoriumError. Safe to call without iterating. */
  result(): Promise<RequestResult>;
  abort(): void;
}

/** The embedding of one prompt. */
export interface PoolingResult {
  /** After the final norm, as many numbers as the language model is wide. */
  embedding: Float32Array;
  numPromptTokens: number;
  /** Of these, taken from the prefix cache. */
  numCachedTokens: number;
}
