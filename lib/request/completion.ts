import { SensoriumError } from '../errors.js';
import {
  DECLINED,
  declinedProperties,
  streamProperties,
  toStreamFields,
  type GenerationBody,
  type WireStream,
} from './common.js';
import {
  MAX_CHOICES,
  MAX_LOGPROBS,
  samplingProperties,
  toSamplingOptions,
  type WireSampling,
} from './sampling.js';
import { bodyChecker, refuseUnsupported, type JsonObject, type UnsupportedRules } from './validate.js';

/** A text, or token ids. */
export type Prompt = string | number[];

export interface CompletionRequest extends GenerationBody {
  prompts: Prompt[];
}

interface WireCompletion extends WireSampling, WireStream {
  prompt: string | unknown[];
  logprobs?: number;
}

/** OpenAI's default of this route. */
const DEFAULT_MAX_TOKENS = 16;

const checkBody = bodyChecker<WireCompletion>(
  {
    ...samplingProperties,
    ...streamProperties,
    ...declinedProperties,
    suffix: { type: 'string' },
    best_of: samplingProperties.n,
    prompt: { type: ['string', 'array'] },
    logprobs: { type: 'integer', minimum: 0, maximum: MAX_LOGPROBS },
  },
  ['prompt'],
);

const UNSUPPORTED: UnsupportedRules = {
  ...DECLINED,
  suffix: (value) => value !== '',
  best_of: (value) => value !== 1,
  prompt_embeds: () => true,
};

const isTokenId = (value: unknown): value is number =>
  Number.isInteger(value) && (value as number) >= 0 && (value as number) < 2 ** 31;

/** Checks that every entry of `ids` is a token id; `param` is the list's path. */
export function checkTokenIds(ids: unknown[], param: string): number[] {
  const bad = ids.findIndex((id) => !isTokenId(id));
  if (bad < 0) return ids as number[];
  throw new SensoriumError('invalid_type', `'${param}[${bad}]' must be a token id (an integer from 0).`, {
    param: `${param}[${bad}]`,
  });
}

function toPrompt(value: unknown, param: string): Prompt {
  if (typeof value !== 'string' && !Array.isArray(value)) {
    throw new SensoriumError('invalid_type', `'${param}' must be a string or a list of token ids.`, {
      param,
    });
  }
  if (value.length === 0)
    throw new SensoriumError('prompt_empty', `'${param}' must not be empty.`, { param });
  return typeof value === 'string' ? value : checkTokenIds(value, param);
}

/** One prompt or several; `param` names the field. */
export function toPrompts(value: string | unknown[], param: string): Prompt[] {
  const isOne = typeof value === 'string' || value.length === 0 || typeof value[0] === 'number';
  if (isOne) return [toPrompt(value, param)];
  return value.map((prompt, index) => toPrompt(prompt, `${param}[${index}]`));
}

/** Checks the body of POST /v1/completions. */
export function parseCompletion(body: unknown): CompletionRequest {
  const wire = checkBody(body);
  refuseUnsupported(wire as unknown as JsonObject, UNSUPPORTED);
  const prompts = toPrompts(wire.prompt, 'prompt');
  const numChoices = prompts.length * (wire.n ?? 1);
  if (numChoices > MAX_CHOICES) {
    throw new SensoriumError(
      'invalid_value',
      `A request may ask for at most ${MAX_CHOICES} answers, not ${numChoices}.`,
      {
        param: 'prompt',
      },
    );
  }
  return {
    ...toStreamFields(wire),
    prompts,
    sampling: {
      ...toSamplingOptions(wire, wire.max_tokens ?? DEFAULT_MAX_TOKENS),
      logprobs: wire.logprobs,
    },
  };
}
