import { checkId } from '../chat/identifiers.js';
import { SensoriumError } from '../errors.js';
import type { MediaOptions } from '../media/types.js';
import type { SamplingOptions } from './types.js';
import type { JsonObject, UnsupportedRules } from './validate.js';

/** What the two generation routes have in common after checking. */
export interface GenerationBody {
  /** Absent: the served model. */
  model?: string | undefined;
  sampling: SamplingOptions;
  isStream: boolean;
  /** A last stream event with the usage. */
  hasUsageEvent: boolean;
  /** Usage in every stream event. */
  hasContinuousUsage: boolean;
  returnTokenIds: boolean;
  /** Chosen by the client to share caches only with requests that carry the same one. */
  cacheSalt?: string | undefined;
}

export interface WireStream {
  model?: string;
  stream?: boolean;
  stream_options?: { include_usage?: boolean | null; continuous_usage_stats?: boolean | null };
  return_token_ids?: boolean;
  cache_salt?: string;
}

export interface WireMediaOptions {
  mm_processor_kwargs?: Record<string, unknown>;
  media_io_kwargs?: MediaOptions['mediaIoKwargs'];
}

const flag = { type: 'boolean' };
const optionalObject = { type: 'object', nullable: true };

export const streamProperties: Record<keyof WireStream, Record<string, unknown>> = {
  model: { type: 'string' },
  stream: flag,
  stream_options: {
    type: 'object',
    properties: {
      include_usage: { type: 'boolean', nullable: true },
      continuous_usage_stats: { type: 'boolean', nullable: true },
    },
  },
  return_token_ids: flag,
  cache_salt: { type: 'string' },
};

export const mediaProperties: Record<keyof WireMediaOptions, Record<string, unknown>> = {
  mm_processor_kwargs: { type: 'object', maxProperties: 64 },
  media_io_kwargs: {
    type: 'object',
    maxProperties: 16,
    properties: { image: optionalObject, video: optionalObject, audio: optionalObject },
  },
};

/** Fields of both routes that are known and declined; their types are checked all the same. */
export const declinedProperties: Record<string, Record<string, unknown>> = {
  response_format: { type: 'object', properties: { type: { type: 'string' } }, required: ['type'] },
  echo: flag,
  use_beam_search: flag,
  prompt_logprobs: { type: 'integer' },
  structured_outputs: { type: 'object' },
  allowed_token_ids: { type: 'array' },
  bad_words: { type: 'array' },
};

const isTrue = (value: unknown): boolean => value === true;
export const isNotEmpty = (value: unknown): boolean => !Array.isArray(value) || value.length > 0;

/** When a declined field asks for something. */
export const DECLINED: UnsupportedRules = {
  response_format: (value) => (value as JsonObject)['type'] !== 'text',
  echo: isTrue,
  use_beam_search: isTrue,
  prompt_logprobs: () => true,
  structured_outputs: () => true,
  allowed_token_ids: () => true,
  bad_words: isNotEmpty,
};

/** The checked salt of a body. Throws `invalid_value`. */
export function readCacheSalt({ cache_salt: salt }: { cache_salt?: string }): string | undefined {
  return salt === undefined ? undefined : checkId(salt, 'cache_salt');
}

export function toStreamFields(body: WireStream): Omit<GenerationBody, 'sampling'> {
  const isStream = body.stream ?? false;
  if (body.stream_options !== undefined && !isStream) {
    throw new SensoriumError('invalid_value', "'stream_options' is only allowed with 'stream': true.", {
      param: 'stream_options',
    });
  }
  return {
    model: body.model,
    isStream,
    hasUsageEvent: body.stream_options?.include_usage ?? false,
    hasContinuousUsage: body.stream_options?.continuous_usage_stats ?? false,
    returnTokenIds: body.return_token_ids ?? false,
    cacheSalt: readCacheSalt(body),
  };
}
