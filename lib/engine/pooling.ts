import type { ExpandedPrompt } from '../processors/types.js';

/** A prompt whose last token's hidden state is wanted. */
export interface PoolingRequest {
  prompt: ExpandedPrompt;
  cacheSalt: string;
  /** Whether the result has length 1. */
  isNormalized: boolean;
  signal?: AbortSignal | undefined;
}
