import { SensoriumError } from '../errors.js';
import type { MediaOptions } from '../media/types.js';
import type { ChatOptions, SamplingOptions } from '../request/types.js';
import { CHAT_OPTIONS, readCallSalt, readChatOptions } from './chat-options.js';
import { normaliseMediaOptions } from './kwargs-names.js';
import { checkOptionNames } from './option-names.js';
import type { ChatCallOptions, EmbedOptions, GenerateOptions, SubmitOptions } from './types.js';

const SAMPLING_FIELDS = [
  'maxTokens',
  'minTokens',
  'temperature',
  'topP',
  'topK',
  'minP',
  'repetitionPenalty',
  'presencePenalty',
  'frequencyPenalty',
  'logitBias',
  'seed',
  'stop',
  'stopTokenIds',
  'includeStopStrInOutput',
  'ignoreEos',
  'skipSpecialTokens',
  'logprobs',
  'n',
] as const satisfies readonly (keyof SamplingOptions)[];
const CALL_FIELDS = ['requestId', 'cacheSalt', 'signal', 'onProgress'];
const MEDIA_FIELDS = ['mediaIoKwargs', 'mmProcessorKwargs'];

const KNOWN_FIELDS: ReadonlySet<string> = new Set([
  ...SAMPLING_FIELDS,
  ...CALL_FIELDS,
  ...MEDIA_FIELDS,
  ...CHAT_OPTIONS,
]);

const isSignal = (value: unknown): boolean =>
  value instanceof EventTarget && typeof (value as Partial<AbortSignal>).aborted === 'boolean';

/** Throws `invalid_option` for options that are misspelled or are none. */
export function checkCallOptions(options: unknown): asserts options is ChatCallOptions {
  checkOptionNames(options, KNOWN_FIELDS);
  const { signal, onProgress } = options;
  if (signal !== undefined && !isSignal(signal)) {
    throw new SensoriumError('invalid_option', 'The option signal must be an AbortSignal.', {
      param: 'signal',
    });
  }
  for (const name of ['requestId', 'cacheSalt'] as const) {
    if (options[name] === undefined || typeof options[name] === 'string') continue;
    throw new SensoriumError('invalid_option', `The option ${name} must be a text.`, { param: name });
  }
  if (onProgress !== undefined && typeof onProgress !== 'function') {
    throw new SensoriumError('invalid_option', 'The option onProgress must be a function.', {
      param: 'onProgress',
    });
  }
}

const EMBED_FIELDS: ReadonlySet<string> = new Set([
  'normalize',
  'dimensions',
  'cacheSalt',
  'signal',
  ...MEDIA_FIELDS,
] satisfies string[]);

/** Throws `invalid_option` for options that are misspelled or are none. */
export function checkEmbedOptions(options: EmbedOptions): void {
  checkOptionNames(options, EMBED_FIELDS);
  const { signal, normalize } = options;
  if (signal !== undefined && !isSignal(signal)) {
    throw new SensoriumError('invalid_option', 'The option signal must be an AbortSignal.', {
      param: 'signal',
    });
  }
  if (normalize !== undefined && typeof normalize !== 'boolean') {
    throw new SensoriumError('invalid_option', 'The option normalize must be true or false.', {
      param: 'normalize',
    });
  }
}

/** Side-by-side options, sorted to where they belong. */
export function splitOptions(
  options: ChatCallOptions | GenerateOptions,
): SubmitOptions & ChatOptions & MediaOptions {
  checkCallOptions(options);
  const { requestId, signal } = options;
  const sampling = Object.fromEntries(
    SAMPLING_FIELDS.map((field) => [field, options[field]]),
  ) as SamplingOptions;
  return {
    sampling,
    requestId,
    cacheSalt: readCallSalt(options.cacheSalt),
    signal,
    ...normaliseMediaOptions(options),
    ...readChatOptions(options),
  };
}
