import { SensoriumError } from '../errors.js';
import type { NativeSampling } from '../native/addon.js';
import type { SamplingOptions } from '../request/types.js';
import type { SamplingDefaults } from './sampling-defaults.js';

export interface SamplingLimits {
  vocabSize: number;
  maxModelLen: number;
}

/** How errors call a field, e.g. `maxTokens` -> `max_tokens`. */
export type ParamName = (field: keyof SamplingOptions) => string;

/** A request's sampling, complete: what the engine gets, and what is done in JavaScript. */
export interface ResolvedSampling {
  native: NativeSampling;
  stopStrings: string[];
  includeStopStrInOutput: boolean;
  skipSpecialTokens: boolean;
}

interface Range {
  min: number;
  max: number;
  /** Whether `min` itself is allowed. Default true. */
  isMinAllowed?: boolean;
  isInteger?: boolean;
}

const MAX_N = 128;
const MAX_LOGPROBS = 20;
const MAX_STOP_STRINGS = 16;
const MAX_STOP_LENGTH = 1024;
const MAX_STOP_TOKEN_IDS = 1024;
const MAX_LOGIT_BIASES = 4096;
const MAX_BIAS = 100;

const RANGES = {
  temperature: { min: 0, max: 2 },
  topP: { min: 0, max: 1, isMinAllowed: false },
  minP: { min: 0, max: 1 },
  repetitionPenalty: { min: 0, max: 1000, isMinAllowed: false },
  presencePenalty: { min: -2, max: 2 },
  frequencyPenalty: { min: -2, max: 2 },
  maxTokens: { min: 1, max: Number.MAX_SAFE_INTEGER, isInteger: true },
  minTokens: { min: 0, max: Number.MAX_SAFE_INTEGER, isInteger: true },
  logprobs: { min: 0, max: MAX_LOGPROBS, isInteger: true },
  n: { min: 1, max: MAX_N, isInteger: true },
  // Any 64 bits, signed or not: what a double cannot hold exactly is the nearest it can.
  seed: { min: -(2 ** 63), max: 2 ** 64, isInteger: true },
} as const satisfies Partial<Record<keyof SamplingOptions, Range>>;

const camelName: ParamName = (field) => field;

/** Names as the wire has them. */
export const snakeName: ParamName = (field) =>
  field.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);

function invalid(name: string, message: string): SensoriumError {
  return new SensoriumError('invalid_value', `${name} ${message}`, { param: name });
}

function checkNumber(value: unknown, name: string, range: Range): void {
  if (typeof value !== 'number') {
    throw new SensoriumError('invalid_type', `${name} must be a number.`, { param: name });
  }
  if (range.isInteger === true && !Number.isInteger(value))
    throw invalid(name, `must be an integer, not ${value}.`);
  const isAboveMin = range.isMinAllowed === false ? value > range.min : value >= range.min;
  if (isAboveMin && value <= range.max) return;
  const lower = range.isMinAllowed === false ? `above ${range.min}` : `at least ${range.min}`;
  throw invalid(name, `must be ${lower} and at most ${range.max}, not ${value}.`);
}

function checkTopK(value: unknown, name: string): void {
  if (value === -1) return;
  checkNumber(value, name, { min: 0, max: Number.MAX_SAFE_INTEGER, isInteger: true });
}

function checkFlags(options: SamplingOptions, nameOf: ParamName): void {
  for (const field of ['ignoreEos', 'includeStopStrInOutput', 'skipSpecialTokens'] as const) {
    const value: unknown = options[field];
    if (value === undefined || typeof value === 'boolean') continue;
    throw new SensoriumError('invalid_type', `${nameOf(field)} must be true or false.`, {
      param: nameOf(field),
    });
  }
}

function readStopStrings(stop: unknown, name: string): string[] {
  if (stop === undefined || stop === null) return [];
  const list: unknown[] = Array.isArray(stop) ? stop : [stop];
  if (list.length > MAX_STOP_STRINGS)
    throw invalid(name, `has ${list.length} strings; ${MAX_STOP_STRINGS} are the most.`);
  return list.map((value) => {
    if (typeof value !== 'string') {
      throw new SensoriumError('invalid_type', `${name} must be a string or a list of strings.`, {
        param: name,
      });
    }
    if (value === '') throw invalid(name, 'must not hold an empty string.');
    if (value.length > MAX_STOP_LENGTH) {
      throw invalid(name, `holds a string of ${value.length} characters; ${MAX_STOP_LENGTH} are the most.`);
    }
    return value;
  });
}

function readStopTokenIds(ids: unknown, name: string, vocabSize: number): number[] {
  if (ids === undefined || ids === null) return [];
  if (!Array.isArray(ids))
    throw new SensoriumError('invalid_type', `${name} must be a list of token ids.`, { param: name });
  if (ids.length > MAX_STOP_TOKEN_IDS)
    throw invalid(name, `has ${ids.length} ids; ${MAX_STOP_TOKEN_IDS} are the most.`);
  for (const id of ids) checkTokenId(id, name, vocabSize);
  return ids as number[];
}

function checkTokenId(id: unknown, name: string, vocabSize: number): void {
  if (Number.isInteger(id) && Number(id) >= 0 && Number(id) < vocabSize) return;
  throw invalid(
    name,
    `holds ${String(id).slice(0, 40)}, which is no token id: ids are 0 to ${vocabSize - 1}.`,
  );
}

function readLogitBias(bias: unknown, name: string, vocabSize: number): [number, number][] {
  if (bias === undefined || bias === null) return [];
  if (typeof bias !== 'object' || Array.isArray(bias)) {
    throw new SensoriumError('invalid_type', `${name} must be an object of token ids and numbers.`, {
      param: name,
    });
  }
  const entries = Object.entries(bias);
  if (entries.length > MAX_LOGIT_BIASES)
    throw invalid(name, `has ${entries.length} entries; ${MAX_LOGIT_BIASES} are the most.`);
  return entries.map(([key, value]: [string, unknown]) => {
    checkTokenId(/^\d{1,10}$/.test(key) ? Number(key) : key, name, vocabSize);
    if (typeof value !== 'number' || !Number.isFinite(value))
      throw invalid(name, `of token ${key} must be a number.`);
    return [Number(key), Math.min(MAX_BIAS, Math.max(-MAX_BIAS, value))];
  });
}

/** Checks everything about sampling that does not depend on the prompt. */
export function checkSampling(
  options: SamplingOptions,
  vocabSize: number,
  nameOf: ParamName = camelName,
): void {
  for (const field of Object.keys(RANGES) as (keyof typeof RANGES)[]) {
    const value: unknown = options[field];
    if (value !== undefined) checkNumber(value, nameOf(field), RANGES[field]);
  }
  if (options.topK !== undefined) checkTopK(options.topK, nameOf('topK'));
  checkFlags(options, nameOf);
  readStopStrings(options.stop, nameOf('stop'));
  readStopTokenIds(options.stopTokenIds, nameOf('stopTokenIds'), vocabSize);
  readLogitBias(options.logitBias, nameOf('logitBias'), vocabSize);
  if (options.maxTokens !== undefined && (options.minTokens ?? 0) > options.maxTokens) {
    throw invalid(
      nameOf('minTokens'),
      `(${options.minTokens}) must not exceed ${nameOf('maxTokens')} (${options.maxTokens}).`,
    );
  }
}

/** How many tokens may be generated: what was asked for, else the checkpoint's default, else all that fit. */
function resolveMaxTokens(
  options: SamplingOptions,
  defaults: SamplingDefaults,
  room: number,
  promptLength: number,
  nameOf: ParamName,
): number {
  const asked = options.maxTokens;
  if (asked === undefined)
    return Math.min(Math.max(defaults.maxTokens ?? room, options.minTokens ?? 0), room);
  if (asked <= room) return asked;
  const message = `is ${asked}, but a prompt of ${promptLength} tokens leaves room for ${room} in this model.`;
  throw invalid(nameOf('maxTokens'), message);
}

/** Checks a request's sampling and fills in what it left open. */
export function resolveSampling(
  options: SamplingOptions,
  defaults: SamplingDefaults,
  limits: SamplingLimits,
  promptLength: number,
  nameOf: ParamName = camelName,
): ResolvedSampling {
  checkSampling(options, limits.vocabSize, nameOf);
  const maxTokens = resolveMaxTokens(
    options,
    defaults,
    limits.maxModelLen - promptLength,
    promptLength,
    nameOf,
  );
  const minTokens = options.minTokens ?? 0;
  if (minTokens > maxTokens)
    throw invalid(nameOf('minTokens'), `(${minTokens}) must not exceed the ${maxTokens} tokens that fit.`);
  return {
    native: {
      temperature: options.temperature ?? defaults.temperature ?? 1,
      topP: options.topP ?? defaults.topP ?? 1,
      topK: Math.min(Math.max(options.topK ?? defaults.topK ?? 0, 0), limits.vocabSize),
      minP: options.minP ?? defaults.minP ?? 0,
      repetitionPenalty: options.repetitionPenalty ?? defaults.repetitionPenalty ?? 1,
      presencePenalty: options.presencePenalty ?? 0,
      frequencyPenalty: options.frequencyPenalty ?? 0,
      logitBias: readLogitBias(options.logitBias, nameOf('logitBias'), limits.vocabSize),
      seed: options.seed === undefined ? undefined : BigInt.asUintN(64, BigInt(options.seed)),
      maxTokens,
      minTokens,
      ignoreEos: options.ignoreEos ?? false,
      stopTokenIds: readStopTokenIds(options.stopTokenIds, nameOf('stopTokenIds'), limits.vocabSize),
      numLogprobs: options.logprobs,
      n: options.n ?? 1,
    },
    stopStrings: readStopStrings(options.stop, nameOf('stop')),
    includeStopStrInOutput: options.includeStopStrInOutput ?? false,
    skipSpecialTokens: options.skipSpecialTokens ?? true,
  };
}
