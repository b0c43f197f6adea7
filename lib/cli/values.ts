import { existsSync, statSync } from 'node:fs';
import path from 'node:path';
import { InvalidArgumentError } from 'commander';
import type { MediaLimit } from '../llm/types.js';
import type { Modality } from '../media/types.js';

interface Range {
  min: number;
  max?: number;
}

function readNumber(text: string, { min, max = Number.MAX_SAFE_INTEGER }: Range): number {
  const value = Number(text);
  if (text.trim() === '' || !Number.isFinite(value) || value < min || value > max) {
    const range = max === Number.MAX_SAFE_INTEGER ? `of at least ${min}` : `from ${min} to ${max}`;
    throw new InvalidArgumentError(`Expected a number ${range}.`);
  }
  return value;
}

/** A reader of whole numbers in a range. */
export function wholeNumber(min: number, max?: number): (text: string) => number {
  return (text) => {
    const value = readNumber(text, { min, ...(max !== undefined && { max }) });
    if (!Number.isInteger(value)) throw new InvalidArgumentError('Expected a whole number.');
    return value;
  };
}

/** A reader of numbers in a range; fractions are fine. */
export function numberFrom(min: number, max?: number): (text: string) => number {
  return (text) => readNumber(text, { min, ...(max !== undefined && { max }) });
}

/** Collects a flag's values; one value may name several, separated by commas. */
export function appendList(text: string, previous: string[] = []): string[] {
  const values = text.split(',').map((value) => value.trim());
  return [...previous, ...values.filter((value) => value !== '')];
}

/** Collects a repeatable flag's values as they are. */
export function append(text: string, previous: string[] = []): string[] {
  if (text === '') throw new InvalidArgumentError('Expected a value.');
  return [...previous, text];
}

type JsonObject = Record<string, unknown>;

const isObject = (value: unknown): value is JsonObject =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/** A JSON object. */
export function jsonObject(text: string): JsonObject {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw new InvalidArgumentError('Expected a JSON object; this does not parse.');
  }
  if (!isObject(value)) throw new InvalidArgumentError('Expected a JSON object.');
  return value;
}

function merged(base: JsonObject, over: JsonObject): JsonObject {
  const result = { ...base };
  for (const [key, value] of Object.entries(over)) {
    const known = Object.hasOwn(result, key) ? result[key] : undefined;
    result[key] = isObject(known) && isObject(value) ? merged(known, value) : value;
  }
  return result;
}

/** A JSON object, laid over those of earlier uses of the flag. */
export function mergedJsonObject(text: string, previous: JsonObject = {}): JsonObject {
  return merged(previous, jsonObject(text));
}

const MODALITIES: readonly string[] = ['image', 'video', 'audio'] satisfies Modality[];
const LIMITS: readonly string[] = [
  'count',
  'width',
  'height',
  'num_frames',
  'length',
] satisfies (keyof MediaLimit)[];

type MediaLimits = Partial<Record<Modality, number | MediaLimit>>;

/** `image=2,video=1` as JSON. */
function pairsAsJson(text: string): string {
  const pairs = text.split(',').map((pair) => /^\s*(\w+)=(\d+)\s*$/.exec(pair));
  if (pairs.some((pair) => pair === null)) return text;
  return JSON.stringify(Object.fromEntries(pairs.map((pair) => [pair![1], Number(pair![2])])));
}

function checkLimit(name: string, value: unknown): void {
  if (Number.isInteger(value) && (value as number) >= 0) return;
  throw new InvalidArgumentError(`The limit of '${name}' must be a whole number from 0.`);
}

/** `{"image": 2, "video": {"count": 1, "num_frames": 8}}`, or `image=2,video=1`; later uses are laid over earlier ones. */
export function modalityLimits(text: string, previous: MediaLimits = {}): MediaLimits {
  const limits = jsonObject(pairsAsJson(text));
  for (const [modality, limit] of Object.entries(limits)) {
    if (!MODALITIES.includes(modality)) {
      throw new InvalidArgumentError(`'${modality}' is not one of ${MODALITIES.join(', ')}.`);
    }
    if (!isObject(limit)) checkLimit(modality, limit);
    else if (Object.keys(limit).length === 0) checkLimit(modality, undefined);
    else for (const [name, value] of Object.entries(limit)) checkNamedLimit(modality, name, value);
  }
  return merged(previous, limits);
}

function checkNamedLimit(modality: string, name: string, value: unknown): void {
  if (!LIMITS.includes(name)) {
    throw new InvalidArgumentError(`'${name}' of '${modality}' is not one of ${LIMITS.join(', ')}.`);
  }
  checkLimit(`${modality}.${name}`, value);
}

/** A JSON object whose keys are modalities and whose values are objects; later uses are laid over earlier ones. */
export function modalityOptions(
  text: string,
  previous: JsonObject = {},
): Partial<Record<Modality, JsonObject>> {
  const options = jsonObject(text);
  for (const [modality, value] of Object.entries(options)) {
    if (MODALITIES.includes(modality) && isObject(value)) continue;
    throw new InvalidArgumentError(
      `Expected an object with keys of ${MODALITIES.join(', ')}, each an object.`,
    );
  }
  return merged(previous, options);
}

/** An existing folder, made absolute. */
export function folder(text: string): string {
  const resolved = path.resolve(text);
  if (!existsSync(resolved)) throw new InvalidArgumentError(`'${text}' does not exist.`);
  if (!statSync(resolved).isDirectory()) throw new InvalidArgumentError(`'${text}' must be a directory.`);
  return resolved;
}

/** An existing file. */
export function file(text: string, previous: string[] = []): string[] {
  if (!existsSync(text) || !statSync(text).isFile())
    throw new InvalidArgumentError(`There is no file '${text}'.`);
  return [...previous, path.resolve(text)];
}
