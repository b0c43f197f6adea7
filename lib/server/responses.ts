import type { TokenLogprob, Usage } from '../engine/types.js';
import type { ServerLLM } from './types.js';
import { VERSION } from './version.js';

/** Fields that every object of one answer repeats. */
export interface ResponseHead {
  id: string;
  object: string;
  created: number;
  model: string;
  system_fingerprint: string;
}

export function responseHead(llm: ServerLLM, id: string, object: string): ResponseHead {
  return {
    id,
    object,
    created: Math.floor(Date.now() / 1000),
    model: llm.modelId,
    system_fingerprint: `sensorium-${VERSION}-${llm.isa}-${llm.dtype}`,
  };
}

export interface WireUsage {
  prompt_tokens: number;
  completion_tokens: number;
  total_tokens: number;
  prompt_tokens_details?: {
    cached_tokens: number;
    image_tokens: number;
    video_tokens: number;
    audio_tokens: number;
    /** Media items whose encoder rows were already known. */
    cached_media: number;
  };
}

export function wireUsage(usage: Usage): WireUsage {
  return {
    prompt_tokens: usage.promptTokens,
    completion_tokens: usage.completionTokens,
    total_tokens: usage.totalTokens,
    prompt_tokens_details: {
      cached_tokens: usage.cachedTokens,
      image_tokens: usage.imageTokens,
      video_tokens: usage.videoTokens,
      audio_tokens: usage.audioTokens,
      cached_media: usage.cachedMedia,
    },
  };
}

/** The usage of several prompts that one request asked about. */
export function sumUsages(usages: readonly Usage[]): Usage {
  const sum: Usage = {
    promptTokens: 0,
    completionTokens: 0,
    totalTokens: 0,
    cachedTokens: 0,
    cachedMedia: 0,
    imageTokens: 0,
    videoTokens: 0,
    audioTokens: 0,
  };
  for (const usage of usages) {
    for (const field of Object.keys(sum) as (keyof Usage)[]) sum[field] += usage[field];
  }
  return sum;
}

/** The shape of the chat route. */
export function chatLogprobs(logprobs: readonly TokenLogprob[] | undefined): object | null {
  if (logprobs === undefined) return null;
  return {
    content: logprobs.map(({ token, logprob, bytes, top }) => ({
      token,
      logprob,
      bytes,
      top_logprobs: top.map((other) => ({ token: other.token, logprob: other.logprob, bytes: other.bytes })),
    })),
    refusal: null,
  };
}

/** The older shape of the completions route. `offset`: characters of the answer before these tokens. */
export function completionLogprobs(logprobs: readonly TokenLogprob[] | undefined, offset = 0): object | null {
  if (logprobs === undefined) return null;
  let position = offset;
  const textOffsets = logprobs.map(({ token }) => {
    const start = position;
    position += token.length;
    return start;
  });
  return {
    tokens: logprobs.map(({ token }) => token),
    token_logprobs: logprobs.map(({ logprob }) => logprob),
    top_logprobs: logprobs.map(({ top }) =>
      Object.fromEntries(top.map(({ token, logprob }) => [token, logprob])),
    ),
    text_offset: textOffsets,
  };
}
