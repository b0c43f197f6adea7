import { checkId } from '../chat/identifiers.js';
import { MediaCounter } from '../chat/media-counter.js';
import { readPayload } from '../chat/media-source.js';
import { isSoundTuple } from '../chat/raw-media.js';
import { SensoriumError } from '../errors.js';
import type { MediaOptions, MediaPart, Modality } from '../media/types.js';
import { normaliseMediaOptions } from './kwargs-names.js';
import { checkOptionNames } from './option-names.js';
import { EmbeddingItem, listEmbeddings } from './embedding-items.js';
import { listItems } from './prompt-items.js';
import type { MediaRules, MultiModalPrompt, PromptInput } from './types.js';

export interface ParsedPrompt {
  prompt: string | number[];
  media: MediaPart[];
  /** Of this prompt alone. */
  mediaOptions: MediaOptions;
  cacheSalt?: string | undefined;
}

const MODALITIES: readonly Modality[] = ['image', 'video', 'audio'];
const PROMPT_FIELDS: ReadonlySet<string> = new Set([
  'prompt',
  'promptTokenIds',
  'multiModalData',
  'multiModalUuids',
  'mmProcessorKwargs',
  'mediaIoKwargs',
  'cacheSalt',
] satisfies (keyof MultiModalPrompt)[]);

const isGiven = (value: unknown): boolean => value !== undefined && value !== null;

export const isTokenIds = (value: unknown): value is number[] =>
  Array.isArray(value) && value.every((id) => typeof id === 'number');

function invalidType(param: string, expected: string): SensoriumError {
  return new SensoriumError('invalid_type', `${param} must be ${expected}.`, { param });
}

function checkPrompt(prompt: unknown): asserts prompt is string | number[] {
  if (typeof prompt !== 'string' && !isTokenIds(prompt)) {
    throw invalidType('prompt', 'a text or a list of token ids');
  }
  const wrong = typeof prompt === 'string' ? -1 : prompt.findIndex((id) => !Number.isInteger(id));
  if (wrong >= 0) throw invalidType(`prompt[${wrong}]`, 'a whole number, as token ids are');
  if (prompt.length === 0)
    throw new SensoriumError('prompt_empty', 'The prompt is empty.', { param: 'prompt' });
}

/** `promptTokenIds` are the prompt; a text beside them only says what they spell. */
function choosePrompt({ prompt, promptTokenIds }: MultiModalPrompt): unknown {
  if (!isGiven(promptTokenIds)) return prompt;
  if (!isTokenIds(promptTokenIds)) throw invalidType('promptTokenIds', 'a list of token ids');
  return promptTokenIds;
}

/** Uuids of one modality, one per item; absent ones are undefined. */
function readUuids(value: unknown, modality: Modality): (string | undefined)[] | undefined {
  if (!isGiven(value)) return undefined;
  const uuids: unknown[] = Array.isArray(value) ? value : [value];
  return uuids.map((uuid, i) => {
    if (!isGiven(uuid)) return undefined;
    const param = `multiModalUuids.${modality}[${i}]`;
    if (typeof uuid === 'string' || typeof uuid === 'number') return checkId(String(uuid), param);
    throw invalidType(param, 'a text or null');
  });
}

function lengthMismatch(modality: Modality, numUuids: number, numItems: number): SensoriumError {
  const message =
    `If given, multiModalUuids['${modality}'] must have same length as multiModalData['${modality}'], ` +
    `but got ${numUuids} vs ${numItems}.`;
  return new SensoriumError('invalid_value', message, { param: `multiModalUuids.${modality}` });
}

function missingUuid(modality: Modality, index?: number): SensoriumError {
  const at = index === undefined ? `['${modality}']` : `['${modality}'][${index}]`;
  const param = `multiModalData.${modality}${index === undefined ? '' : `[${index}]`}`;
  const message = `multiModalData${at} is empty but multiModalUuids${at} is missing.`;
  return new SensoriumError('missing_field', message, { param });
}

interface Item {
  value: unknown;
  uuid: string | undefined;
}

/** Items of one modality with their uuids. A modality that is null has as many items as uuids. */
function readItems(input: MultiModalPrompt, modality: Modality, rules: MediaRules): Item[] {
  const data: unknown = input.multiModalData?.[modality];
  const uuids = readUuids(input.multiModalUuids?.[modality], modality);
  if (!isGiven(data)) {
    if (uuids === undefined && data === null) throw missingUuid(modality);
    return (uuids ?? []).map((uuid) => ({ value: undefined, uuid }));
  }
  const rows = isSoundTuple(data) ? undefined : listEmbeddings(data, modality, rules.hasEmbeddings);
  const items = rows ?? listItems(data, modality);
  if (uuids !== undefined && uuids.length !== items.length) {
    throw lengthMismatch(modality, uuids.length, items.length);
  }
  return items.map((value, i) => ({ value, uuid: uuids?.[i] }));
}

function readPart({ value, uuid }: Item, modality: Modality, index: number): MediaPart {
  const param = `multiModalData.${modality}[${index}]`;
  if (value instanceof EmbeddingItem) return { modality, uuid, param, source: value.source };
  if (isGiven(value)) {
    const source = readPayload(value, { modality, param, isStrict: false, mayBePath: true });
    return { modality, uuid, param, source };
  }
  if (uuid === undefined) throw missingUuid(modality, index);
  return { modality, uuid, param };
}

function readMedia(input: MultiModalPrompt, rules: MediaRules): MediaPart[] {
  const counter = new MediaCounter(rules);
  return MODALITIES.flatMap((modality) =>
    readItems(input, modality, rules).map((item, index) => {
      const part = readPart(item, modality, index);
      const isEmbedding = part.source === undefined ? rules.hasEmbeddings : part.source.kind === 'embeddings';
      counter.add(modality, part.param, isEmbedding ? 'embeddings' : 'raw');
      return part;
    }),
  );
}

/** Throws `invalid_type` unless `value` is absent or an object, and `invalid_option` for keys that are no modality. */
function checkModalities(value: unknown, field: string): void {
  if (!isGiven(value)) return;
  if (typeof value !== 'object' || Array.isArray(value)) throw invalidType(field, 'an object by modality');
  const unknown = Object.keys(value as object).find((name) => !(MODALITIES as string[]).includes(name));
  if (unknown === undefined) return;
  const message = `${field} knows ${MODALITIES.join(', ')}, not '${unknown.slice(0, 40)}'.`;
  throw new SensoriumError('invalid_option', message, { param: `${field}.${unknown}` });
}

/** Checks a prompt of `generate` and finds its media. */
export function parsePrompt(input: PromptInput, rules: MediaRules): ParsedPrompt {
  if (typeof input === 'string' || Array.isArray(input)) {
    checkPrompt(input);
    return { prompt: input, media: [], mediaOptions: {} };
  }
  if (typeof input !== 'object' || input === null) {
    throw invalidType('prompt', 'a text, token ids or { prompt, multiModalData }');
  }
  const { cacheSalt } = input;
  if (cacheSalt !== undefined) {
    if (typeof cacheSalt !== 'string') throw invalidType('cacheSalt', 'a text');
    checkId(cacheSalt, 'cacheSalt');
  }
  checkOptionNames(input, PROMPT_FIELDS);
  for (const field of ['multiModalData', 'multiModalUuids'] as const) checkModalities(input[field], field);
  const prompt = choosePrompt(input);
  checkPrompt(prompt);
  const mediaOptions = normaliseMediaOptions(input);
  return { prompt, media: readMedia(input, rules), mediaOptions, cacheSalt };
}
