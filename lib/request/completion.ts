import { SensoriumError, type ErrorCode } from '../errors.js';
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
  /** Every answer begins with its prompt. */
  hasEcho: boolean;
  /** No token is asked for: with `hasEcho` the answer is the prompt. */
  isPromptOnly: boolean;
}

interface WireCompletion extends WireSampling, WireStream {
  prompt: string | unknown[];
  logprobs?: number;
  echo?: boolean;
  best_of?: number;
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
    max_tokens: { ...samplingProperties.max_tokens, minimum: 0 },
    prompt: { type: ['string', 'array'] },
    logprobs: { type: 'integer', minimum: 0, maximum: MAX_LOGPROBS },
  },
  ['prompt'],
);

const UNSUPPORTED: UnsupportedRules = {
  ...DECLINED,
  suffix: (value) => value !== '',
  echo: () => false,
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

/** Throws for fields that do not go together, or would need the probabilities of a prompt. */
function checkCombinations({
  echo,
  logprobs,
  max_tokens: maxTokens,
  best_of: bestOf,
  n = 1,
}: WireCompletion): void {
  const refuse = (code: ErrorCode, param: string, message: string): never => {
    throw new SensoriumError(code, message, { param });
  };
  if (echo === true && logprobs !== undefined)
    refuse('not_supported', 'echo', "'echo' with 'logprobs' is not supported.");
  if (maxTokens === 0 && echo !== true)
    refuse('invalid_value', 'max_tokens', "'max_tokens' must be at least 1; 0 is for 'echo': true.");
  if (bestOf === undefined || bestOf === n) return;
  if (bestOf < n) refuse('invalid_value', 'best_of', `'best_of' must not be smaller than 'n' (${n}).`);
  refuse('not_supported', 'best_of', "'best_of' other than 'n' is not supported.");
}

/** Checks the body of POST /v1/completions. */
export function parseCompletion(body: unknown): CompletionRequest {
  const wire = checkBody(body);
  refuseUnsupported(wire as unknown as JsonObject, UNSUPPORTED);
  checkCombinations(wire);
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
  const maxTokens = wire.max_tokens ?? DEFAULT_MAX_TOKENS;
  return {
    ...toStreamFields(wire),
    prompts,
    hasEcho: wire.echo ?? false,
    isPromptOnly: maxTokens === 0,
    sampling: {
      ...toSamplingOptions(wire, Math.max(1, maxTokens)),
      logprobs: wire.logprobs,
    },
  };
}
