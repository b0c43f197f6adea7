import { SensoriumError } from '../errors.js';
import type { Modality } from '../media/types.js';

export type JsonObject = Record<string, unknown>;

/** A key that holds the payload of a media part. */
export interface Payload {
  key: string;
  modality: Modality;
  isEmbedding: boolean;
}

export type PartKind = { kind: 'text'; key: string } | { kind: 'media'; payload: Payload };

const payload = (key: string, modality: Modality): Payload => ({
  key,
  modality,
  isEmbedding: key.endsWith('_embeds'),
});

/** In the order in which they decide a part that is told by its keys: vLLM's, then those of Hugging Face's parts. */
const PAYLOADS: readonly Payload[] = [
  payload('image_url', 'image'),
  payload('image_pil', 'image'),
  payload('image_embeds', 'image'),
  payload('audio_embeds', 'audio'),
  payload('video_embeds', 'video'),
  payload('audio_url', 'audio'),
  payload('input_audio', 'audio'),
  payload('video_url', 'video'),
  payload('image', 'image'),
  payload('audio', 'audio'),
  payload('video', 'video'),
];

/** Part types that are no payload key themselves. */
const OTHER_TYPES: ReadonlyMap<string, PartKind> = new Map<string, PartKind>([
  ['text', { kind: 'text', key: 'text' }],
  ['input_text', { kind: 'text', key: 'text' }],
  ['output_text', { kind: 'text', key: 'text' }],
  ['thinking', { kind: 'text', key: 'thinking' }],
  ['refusal', { kind: 'text', key: 'refusal' }],
  ['input_image', { kind: 'media', payload: payload('image_url', 'image') }],
]);

const KINDS: ReadonlyMap<string, PartKind> = new Map<string, PartKind>([
  ...OTHER_TYPES,
  ...PAYLOADS.map((entry) => [entry.key, { kind: 'media', payload: entry }] as const),
]);

/** Every `type` that a content part may have. */
export const PART_TYPES: readonly string[] = [...KINDS.keys()];

export const isGiven = (value: unknown): boolean => value !== undefined && value !== null;

/** The payload that a part's keys name: the first one with a value, else the first one there. */
function payloadOf(part: JsonObject): Payload | undefined {
  const present = PAYLOADS.filter(({ key }) => Object.hasOwn(part, key));
  return present.find(({ key }) => isGiven(part[key])) ?? present[0];
}

const keyOf = (kind: PartKind): string => (kind.kind === 'text' ? kind.key : kind.payload.key);

function unknownType(type: string, param: string): SensoriumError {
  const known = [...KINDS.keys()].sort().join(', ');
  const message = `Unsupported chat content part type: '${type.slice(0, 40)}'. Supported types: ${known}.`;
  return new SensoriumError('unknown_part_type', message, { param: `${param}.type` });
}

function kindWithoutType(part: JsonObject, named: Payload | undefined, param: string): PartKind {
  if (named !== undefined) return { kind: 'media', payload: named };
  if (Object.hasOwn(part, 'text')) return { kind: 'text', key: 'text' };
  const message = `${param}.type is missing, and no key of the part names its content.`;
  throw new SensoriumError('missing_field', message, { param: `${param}.type` });
}

/**
 * What a content part is: its type decides, or its keys where it has none. A part with a uuid whose payload is not
 * under its type's key is what that payload's key says.
 * Throws `unknown_part_type`, `missing_field` and `invalid_type`, naming the part's `type` or missing key.
 */
export function kindOfPart(part: JsonObject, param: string): PartKind {
  const { type } = part;
  const named = payloadOf(part);
  if (!isGiven(type)) return kindWithoutType(part, named, param);
  if (typeof type !== 'string') {
    throw new SensoriumError('invalid_type', `${param}.type must be a string.`, { param: `${param}.type` });
  }
  const own = KINDS.get(type);
  const mayFollowKeys = named !== undefined && isGiven(part.uuid);
  if (own === undefined) {
    if (mayFollowKeys) return { kind: 'media', payload: named };
    throw unknownType(type, param);
  }
  const key = keyOf(own);
  const isElsewhere = named !== undefined && !isGiven(part[key]) && isGiven(part[named.key]);
  if (!isElsewhere)
    return Object.hasOwn(part, key) || !mayFollowKeys ? own : { kind: 'media', payload: named };
  if (mayFollowKeys) return { kind: 'media', payload: named };
  const message = `${param} has the type '${type}' but no '${key}'; its content is under '${named.key}'.`;
  throw new SensoriumError('missing_field', message, { param: `${param}.${key}` });
}

/** Keys that templates do not get: they hold content, name it, or would be read as another part's content. */
const KNOWN_KEYS: ReadonlySet<string> = new Set(['type', 'uuid', 'text', 'url', ...KINDS.keys()]);

/** The keys of a part that mean nothing here, for templates to read; undefined: there are none. */
export function extraKeysOf(part: JsonObject): JsonObject | undefined {
  const extra = Object.entries(part).filter(([key]) => !KNOWN_KEYS.has(key));
  return extra.length === 0 ? undefined : Object.fromEntries(extra);
}
