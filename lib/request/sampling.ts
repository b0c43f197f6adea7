import { SensoriumError } from '../errors.js';
import type { SamplingOptions } from './types.js';

const MAX_INT32 = 2 ** 31 - 1;

/** Largest `n`, `top_logprobs` and `logprobs` of a request. */
export const MAX_CHOICES = 128;
export const MAX_LOGPROBS = 20;

/** Sampling fields that the chat and the completions route share, in their wire spelling. */
export interface WireSampling {
  max_tokens?: number;
  min_tokens?: number;
  temperature?: number;
  top_p?: number;
  top_k?: number;
  min_p?: number;
  repetition_penalty?: number;
  presence_penalty?: number;
  frequency_penalty?: number;
  logit_bias?: Record<string, number>;
  seed?: number;
  stop?: string | string[];
  stop_token_ids?: number[];
  include_stop_str_in_output?: boolean;
  ignore_eos?: boolean;
  skip_special_tokens?: boolean;
  n?: number;
}

const stopString = { type: 'string', minLength: 1, maxLength: 1024 };

export const samplingProperties: Record<keyof WireSampling, Record<string, unknown>> = {
  max_tokens: { type: 'integer', minimum: 1, maximum: MAX_INT32 },
  min_tokens: { type: 'integer', minimum: 0, maximum: MAX_INT32 },
  temperature: { type: 'number', minimum: 0, maximum: 2 },
  top_p: { type: 'number', exclusiveMinimum: 0, maximum: 1 },
  top_k: { type: 'integer', minimum: -1, maximum: MAX_INT32 },
  min_p: { type: 'number', minimum: 0, maximum: 1 },
  repetition_penalty: { type: 'number', exclusiveMinimum: 0, maximum: 1000 },
  presence_penalty: { type: 'number', minimum: -2, maximum: 2 },
  frequency_penalty: { type: 'number', minimum: -2, maximum: 2 },
  logit_bias: {
    type: 'object',
    maxProperties: 1024,
    propertyNames: { pattern: '^\\d{1,10}$' },
    additionalProperties: { type: 'number', minimum: -100, maximum: 100 },
  },
  seed: { type: 'integer', minimum: -(2 ** 63), maximum: 2 ** 64 },
  stop: {
    type: ['string', 'array'],
    minLength: 1,
    maxLength: 1024,
    maxItems: 64,
    items: stopString,
  },
  stop_token_ids: {
    type: 'array',
    maxItems: 256,
    items: { type: 'integer', minimum: 0, maximum: MAX_INT32 },
  },
  include_stop_str_in_output: { type: 'boolean' },
  ignore_eos: { type: 'boolean' },
  skip_special_tokens: { type: 'boolean' },
  n: { type: 'integer', minimum: 1, maximum: MAX_CHOICES },
};

/** Checked wire fields as options; absent fields stay absent, for the checkpoint's defaults to fill. */
export function toSamplingOptions(body: WireSampling, maxTokens = body.max_tokens): SamplingOptions {
  if (body.min_tokens !== undefined && maxTokens !== undefined && body.min_tokens > maxTokens) {
    throw new SensoriumError(
      'invalid_value',
      `'min_tokens' (${body.min_tokens}) must not be greater than the maximum number of tokens (${maxTokens}).`,
      { param: 'min_tokens' },
    );
  }
  return {
    maxTokens,
    minTokens: body.min_tokens,
    temperature: body.temperature,
    topP: body.top_p,
    topK: body.top_k,
    minP: body.min_p,
    repetitionPenalty: body.repetition_penalty,
    presencePenalty: body.presence_penalty,
    frequencyPenalty: body.frequency_penalty,
    logitBias: body.logit_bias,
    seed: body.seed,
    stop: body.stop,
    stopTokenIds: body.stop_token_ids,
    includeStopStrInOutput: body.include_stop_str_in_output,
    ignoreEos: body.ignore_eos,
    skipSpecialTokens: body.skip_special_tokens,
    n: body.n,
  };
}
