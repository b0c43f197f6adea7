import type { TokenLogprob, Usage } from '../engine/types.js';
import type { ServerContext, ServerLLM } from './types.js';
import { VERSION } from './version.js';

/**
 * Answers are written as text from what is already text: JSON.stringify over the whole of a small one would cost as much
 * as all else that is done for it.
 */
export type JsonText = string;

/** What all answers of a model say of it, between the fields around it. */
export function modelFields(llm: Pick<ServerLLM, 'modelId' | 'isa' | 'dtype'>): JsonText {
  const fingerprint = `sensorium-${VERSION}-${llm.isa}-${llm.dtype}`;
  return `"model":${JSON.stringify(llm.modelId)},"system_fingerprint":${JSON.stringify(fingerprint)}`;
}

/** The fields that every object of one answer begins with, its brace left open. `id` and `object` are of our own making. */
export function responseHead(context: ServerContext, id: string, object: string): JsonText {
  const created = Math.floor(Date.now() / 1000);
  return `{"id":"${id}","object":"${object}","created":${created},${context.modelFields}`;
}

/** Tokens of the prompt and of what has been said so far. `details`: what a finished request knows besides. */
export function countsJson(numPrompt: number, numCompletion: number, details = ''): JsonText {
  const total = numPrompt + numCompletion;
  return `{"prompt_tokens":${numPrompt},"completion_tokens":${numCompletion},"total_tokens":${total}${details}}`;
}

/** `cached_media`: media items whose encoder rows were already known. */
export function usageJson(usage: Usage): JsonText {
  const { cachedTokens, imageTokens, videoTokens, audioTokens, cachedMedia } = usage;
  const kinds = `"image_tokens":${imageTokens},"video_tokens":${videoTokens},"audio_tokens":${audioTokens}`;
  const details = `{"cached_tokens":${cachedTokens},${kinds},"cached_media":${cachedMedia}}`;
  return countsJson(usage.promptTokens, usage.completionTokens, `,"prompt_tokens_details":${details}`);
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
export function chatLogprobs(logprobs: readonly TokenLogprob[] | undefined): JsonText {
  if (logprobs === undefined) return 'null';
  return JSON.stringify({
    content: logprobs.map(({ token, logprob, bytes, top }) => ({
      token,
      logprob,
      bytes,
      top_logprobs: top.map((other) => ({ token: other.token, logprob: other.logprob, bytes: other.bytes })),
    })),
    refusal: null,
  });
}

/** The older shape of the completions route. `offset`: characters of the answer before these tokens. */
export function completionLogprobs(logprobs: readonly TokenLogprob[] | undefined, offset = 0): JsonText {
  if (logprobs === undefined) return 'null';
  let position = offset;
  const textOffsets = logprobs.map(({ token }) => {
    const start = position;
    position += token.length;
    return start;
  });
  return JSON.stringify({
    tokens: logprobs.map(({ token }) => token),
    token_logprobs: logprobs.map(({ logprob }) => logprob),
    top_logprobs: logprobs.map(({ top }) =>
      Object.fromEntries(top.map(({ token, logprob }) => [token, logprob])),
    ),
    text_offset: textOffsets,
  });
}
