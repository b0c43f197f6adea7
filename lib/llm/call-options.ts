import { SensoriumError } from '../errors.js';
import type { MediaOptions } from '../media/types.js';
import type { ChatOptions, SamplingOptions } from '../request/types.js';
import type { ChatCallOptions, GenerateOptions, SubmitOptions } from './types.js';

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
const CHAT_FIELDS = ['chatTemplateKwargs', 'addGenerationPrompt', 'continueFinalMessage', 'tools'];

const KNOWN_FIELDS: ReadonlySet<string> = new Set([
  ...SAMPLING_FIELDS,
  ...CALL_FIELDS,
  ...MEDIA_FIELDS,
  ...CHAT_FIELDS,
]);

const toCamel = (name: string): string =>
  name.replace(/_([a-z])/g, (_, letter: string) => letter.toUpperCase());

/** A misspelled option would change the answer silently. */
function checkNames(options: object): void {
  for (const name of Object.keys(options)) {
    if (KNOWN_FIELDS.has(name)) continue;
    const camel = toCamel(name);
    const hint = KNOWN_FIELDS.has(camel) ? `; it is called '${camel}' here` : '';
    throw new SensoriumError('invalid_option', `There is no option '${name}'${hint}.`, { param: name });
  }
}

/** Side-by-side options, sorted to where they belong. */
export function splitOptions(
  options: ChatCallOptions | GenerateOptions,
): SubmitOptions & ChatOptions & MediaOptions {
  checkNames(options);
  const { requestId, cacheSalt, signal, mediaIoKwargs, mmProcessorKwargs } = options;
  const { chatTemplateKwargs, addGenerationPrompt, continueFinalMessage, tools } = options as ChatCallOptions;
  const sampling = Object.fromEntries(
    SAMPLING_FIELDS.map((field) => [field, options[field]]),
  ) as SamplingOptions;
  return {
    sampling,
    requestId,
    cacheSalt,
    signal,
    mediaIoKwargs,
    mmProcessorKwargs,
    chatTemplateKwargs,
    addGenerationPrompt,
    continueFinalMessage,
    tools,
  };
}
