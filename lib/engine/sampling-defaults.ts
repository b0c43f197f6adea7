import type { SamplingOptions } from '../request/types.js';

/** Sampling values that hold where a request is silent. */
export type SamplingDefaults = Pick<
  SamplingOptions,
  'temperature' | 'topP' | 'topK' | 'minP' | 'repetitionPenalty' | 'maxTokens'
>;

type JsonObject = Record<string, unknown>;

const isObject = (value: unknown): value is JsonObject =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

function numberIn(source: JsonObject, key: string, isValid: (value: number) => boolean): number | undefined {
  const value = source[key];
  return typeof value === 'number' && Number.isFinite(value) && isValid(value) ? value : undefined;
}

/** The defaults a checkpoint states in generation_config.json. `do_sample: false` means greedy. Senseless values are passed over. */
export function readSamplingDefaults(generationConfig: JsonObject): SamplingDefaults {
  const isGreedy = generationConfig.do_sample === false;
  return {
    temperature: isGreedy
      ? 0
      : numberIn(generationConfig, 'temperature', (value) => value >= 0 && value <= 2),
    topP: numberIn(generationConfig, 'top_p', (value) => value > 0 && value <= 1),
    topK: numberIn(generationConfig, 'top_k', (value) => Number.isInteger(value) && value >= 0),
    minP: numberIn(generationConfig, 'min_p', (value) => value >= 0 && value <= 1),
    repetitionPenalty: numberIn(generationConfig, 'repetition_penalty', (value) => value > 0),
    maxTokens: numberIn(generationConfig, 'max_new_tokens', (value) => Number.isInteger(value) && value >= 1),
  };
}

function toIds(value: unknown): number[] {
  const list: unknown[] = Array.isArray(value) ? value : [value];
  return list.filter((id): id is number => typeof id === 'number' && Number.isInteger(id) && id >= 0);
}

/** Nested configs that may hold eos_token_id, outermost first. */
function configLevels(config: JsonObject): JsonObject[] {
  const nested = [config.text_config, config.thinker_config].filter(isObject);
  return [config, ...nested.flatMap(configLevels)];
}

/** Ids that end an answer: generation_config.json's; else config.json's; else the tokenizer's own. */
export function readEosTokenIds(
  generationConfig: JsonObject,
  config: JsonObject,
  tokenizerEosId: number | undefined,
): number[] {
  const candidates = [generationConfig, ...configLevels(config)].map((source) => toIds(source.eos_token_id));
  return candidates.find((ids) => ids.length > 0) ?? toIds(tokenizerEosId);
}
