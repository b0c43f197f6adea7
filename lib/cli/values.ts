import { existsSync, statSync } from 'node:fs';
import path from 'node:path';
import { InvalidArgumentError } from 'commander';
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

/** Collects a repeatable flag's values; one use may name several, separated by commas. */
export function appendList(text: string, previous: string[] = []): string[] {
  const values = text.split(',').map((value) => value.trim());
  return [...previous, ...values.filter((value) => value !== '')];
}

/** Collects a repeatable flag's values as they are. */
export function append(text: string, previous: string[] = []): string[] {
  if (text === '') throw new InvalidArgumentError('Expected a value.');
  return [...previous, text];
}

/** A JSON object. */
export function jsonObject(text: string): Record<string, unknown> {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw new InvalidArgumentError('Expected a JSON object; this does not parse.');
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw new InvalidArgumentError('Expected a JSON object.');
  }
  return value as Record<string, unknown>;
}

const MODALITIES: readonly string[] = ['image', 'video', 'audio'] satisfies Modality[];

/** `{"image": 2, "video": {"count": 1}}` as counts by modality. */
export function modalityLimits(text: string): Partial<Record<Modality, number>> {
  const limits: Partial<Record<Modality, number>> = {};
  for (const [modality, value] of Object.entries(jsonObject(text))) {
    const count = typeof value === 'object' && value !== null ? (value as { count?: unknown }).count : value;
    if (!MODALITIES.includes(modality)) {
      throw new InvalidArgumentError(`'${modality}' is not one of ${MODALITIES.join(', ')}.`);
    }
    if (!Number.isInteger(count) || (count as number) < 0) {
      throw new InvalidArgumentError(`The limit of '${modality}' must be a whole number from 0.`);
    }
    limits[modality as Modality] = count as number;
  }
  return limits;
}

/** A JSON object whose keys are modalities and whose values are objects. */
export function modalityOptions(text: string): Partial<Record<Modality, Record<string, unknown>>> {
  const options = jsonObject(text);
  for (const [modality, value] of Object.entries(options)) {
    if (
      !MODALITIES.includes(modality) ||
      typeof value !== 'object' ||
      value === null ||
      Array.isArray(value)
    ) {
      throw new InvalidArgumentError(
        `Expected an object with keys of ${MODALITIES.join(', ')}, each an object.`,
      );
    }
  }
  return options;
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
