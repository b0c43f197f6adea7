import { toSnakeName, withSnakeNames } from '../chat/snake-name.js';
import { SensoriumError } from '../errors.js';
import type { Modality } from '../media/types.js';
import type { ItemLimit, LLMOptions, MediaLimit } from './types.js';

type Limits = LLMOptions['limitMmPerPrompt'];

/** What may be said of each modality. */
const LIMIT_KEYS: Readonly<Record<Modality, readonly (keyof MediaLimit)[]>> = {
  image: ['count', 'width', 'height'],
  video: ['count', 'num_frames', 'width', 'height'],
  audio: ['count', 'length'],
};
const MAX_COUNT = 100_000;
const MAX_SIZE = 2 ** 31 - 1;

function refuse(name: string, message: string): never {
  const param = `limitMmPerPrompt${name}`;
  throw new SensoriumError('invalid_option', `The option ${param} ${message}`, { param });
}

function checkNumber(name: string, value: unknown, min: number, max: number): void {
  if (value === undefined) return;
  if (Number.isInteger(value) && Number(value) >= min && Number(value) <= max) return;
  refuse(name, `must be an integer from ${min} to ${max}, not ${JSON.stringify(value)}.`);
}

function checkMediaLimit(modality: Modality, limit: unknown): void {
  if (typeof limit !== 'object') return checkNumber(`.${modality}`, limit, 0, MAX_COUNT);
  if (limit === null || Array.isArray(limit)) refuse(`.${modality}`, 'must be a number or an object.');
  const known: readonly string[] = LIMIT_KEYS[modality];
  for (const [key, value] of Object.entries(limit)) {
    if (!known.includes(toSnakeName(key)))
      refuse(`.${modality}`, `knows ${known.join(', ')}, not '${key.slice(0, 40)}'.`);
    const isCount = key === 'count';
    checkNumber(`.${modality}.${key}`, value, isCount ? 0 : 1, isCount ? MAX_COUNT : MAX_SIZE);
  }
}

/** Throws `invalid_option` for modalities and keys that do not exist, and for values that are no such numbers. */
export function checkMediaLimits(limits: Limits): void {
  for (const [modality, limit] of Object.entries(limits ?? {})) {
    if (!Object.hasOwn(LIMIT_KEYS, modality)) {
      refuse('', `knows ${Object.keys(LIMIT_KEYS).join(', ')}, not '${modality.slice(0, 40)}'.`);
    }
    checkMediaLimit(modality as Modality, limit);
  }
}

/** Parts of one modality in a prompt; undefined where nothing was said. */
export const countOf = (limit: number | MediaLimit | undefined): number | undefined =>
  typeof limit === 'object' ? limit.count : limit;

/** The sizes that were given, by modality; undefined where there are none. */
export function toItemLimits(limits: Limits): Partial<Record<Modality, ItemLimit>> | undefined {
  const found: Partial<Record<Modality, ItemLimit>> = {};
  for (const [modality, limit] of Object.entries(limits ?? {})) {
    if (typeof limit !== 'object') continue;
    const { count: _, ...sizes } = withSnakeNames({ ...limit }) as MediaLimit;
    if (Object.values(sizes).some((size) => size !== undefined)) found[modality as Modality] = sizes;
  }
  return Object.keys(found).length === 0 ? undefined : found;
}
