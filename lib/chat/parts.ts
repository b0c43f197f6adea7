import { SensoriumError } from '../errors.js';
import type { MediaRules } from '../llm/types.js';
import type { MediaPart, Modality } from '../media/types.js';
import type { ChatMessage, ContentPart } from '../request/types.js';
import { readPayload, type PayloadSource } from './media-source.js';
import { checkMessageFields } from './message-fields.js';

export interface ParseMessagesOptions {
  rules: MediaRules;
  /** Wire messages: no in-process payloads such as bytes or paths. */
  isStrict: boolean;
  /** Path of the messages in the request. Default `messages`. */
  param?: string | undefined;
}

export interface ParsedMessages {
  messages: ChatMessage[];
  /** Parts whose payload is a path named by the program itself (never in strict mode): to be read before use. */
  localFiles: LocalFile[];
}

export interface LocalFile {
  part: MediaPart;
  path: string;
}

type JsonObject = Record<string, unknown>;

const ROLES = ['system', 'developer', 'user', 'assistant', 'tool', 'function'];
const MAX_MESSAGES = 4096;
const MAX_PARTS = 4096;
const MAX_UUID_LENGTH = 512;

/** Keys that hold a part's payload, in the order in which they decide a part without a type. */
const PAYLOAD_KEYS: readonly (readonly [key: string, modality: Modality])[] = [
  ['image_url', 'image'],
  ['image', 'image'],
  ['audio_url', 'audio'],
  ['input_audio', 'audio'],
  ['audio', 'audio'],
  ['video_url', 'video'],
  ['video', 'video'],
];
/** Part types and the payload key each reads. */
const MEDIA_TYPES = new Map([
  ...PAYLOAD_KEYS.map(([key]) => [key, key] as const),
  ['input_image', 'image_url'] as const,
]);
/** Text-like part types and the key of their text. */
const TEXT_TYPES = new Map([
  ['text', 'text'],
  ['input_text', 'text'],
  ['output_text', 'text'],
  ['thinking', 'thinking'],
  ['refusal', 'refusal'],
]);
const PART_OPTION_KEYS = [
  'min_pixels',
  'max_pixels',
  'resized_height',
  'resized_width',
  'fps',
  'nframes',
  'min_frames',
  'max_frames',
];

const isObject = (value: unknown): value is JsonObject =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

const wrongType = (param: string, expected: string): SensoriumError =>
  new SensoriumError('invalid_type', `${param} must be ${expected}.`, { param });

/** Counts media against the limits over a whole conversation. */
export class MediaCounter {
  private readonly counts: Record<Modality, number> = { image: 0, video: 0, audio: 0 };

  constructor(private readonly rules: MediaRules) {}

  add(modality: Modality, param: string): void {
    if (!this.rules.modalities.includes(modality)) {
      const known =
        this.rules.modalities.length === 0 ? 'text only' : `text, ${this.rules.modalities.join(', ')}`;
      throw new SensoriumError('unsupported_modality', `This model takes no ${modality} input (${known}).`, {
        param,
      });
    }
    const limit = this.rules.limits[modality];
    if (++this.counts[modality] > limit) {
      throw new SensoriumError(
        'too_many_media',
        `At most ${limit} ${modality}(s) may be provided in one prompt.`,
        { param },
      );
    }
  }
}

/** Walks messages once. */
class MessageParser {
  readonly localFiles: LocalFile[] = [];
  private readonly counter: MediaCounter;

  constructor(private readonly options: ParseMessagesOptions) {
    this.counter = new MediaCounter(options.rules);
  }

  message(value: unknown, param: string): ChatMessage {
    if (!isObject(value)) throw wrongType(param, 'an object');
    const { role, content, ...extra } = value;
    if (role === undefined)
      throw new SensoriumError('missing_field', `${param}.role is missing.`, { param: `${param}.role` });
    if (typeof role !== 'string') throw wrongType(`${param}.role`, 'a string');
    if (!ROLES.includes(role)) {
      const message = `${param}.role is '${role.slice(0, 40)}'; it must be one of ${ROLES.join(', ')}.`;
      throw new SensoriumError('invalid_value', message, { param: `${param}.role` });
    }
    if (content === undefined && role !== 'assistant') {
      throw new SensoriumError('missing_field', `${param}.content is missing.`, {
        param: `${param}.content`,
      });
    }
    checkMessageFields(extra, param);
    const isPlainText = !Array.isArray(content);
    return { role, content: this.content(content, `${param}.content`), isPlainText, extra };
  }

  private content(value: unknown, param: string): ContentPart[] {
    if (value === null || value === undefined) return [];
    if (typeof value === 'string') return [{ type: 'text', text: value }];
    if (!Array.isArray(value)) throw wrongType(param, 'a string or a list of parts');
    if (value.length > MAX_PARTS) {
      throw new SensoriumError(
        'invalid_value',
        `${param} has ${value.length} parts; ${MAX_PARTS} are the most.`,
        { param },
      );
    }
    return value.flatMap((part: unknown, i) => this.part(part, `${param}[${i}]`));
  }

  private part(value: unknown, param: string): ContentPart[] {
    if (typeof value === 'string') return [{ type: 'text', text: value }];
    if (!isObject(value)) throw wrongType(param, 'a string or an object');
    const { type } = value;
    if (type !== undefined && typeof type !== 'string') throw wrongType(`${param}.type`, 'a string');
    const textKey = type === undefined ? ('text' in value ? 'text' : undefined) : TEXT_TYPES.get(type);
    const payloadKey =
      type === undefined ? PAYLOAD_KEYS.find(([key]) => key in value)?.[0] : MEDIA_TYPES.get(type);
    if (payloadKey !== undefined)
      return [{ type: 'media', media: this.media(value, payloadKey, type, param) }];
    if (textKey !== undefined) return this.text(value[textKey], `${param}.${textKey}`);
    if (type === undefined) {
      throw new SensoriumError('missing_field', `${param}.type is missing.`, { param: `${param}.type` });
    }
    const known = [...TEXT_TYPES.keys(), ...MEDIA_TYPES.keys()].join(', ');
    const message = `${param}.type is '${type.slice(0, 40)}', which is no content part; known ones are ${known}.`;
    throw new SensoriumError('unknown_part_type', message, { param: `${param}.type` });
  }

  private text(value: unknown, param: string): ContentPart[] {
    if (value === null) return [];
    if (value === undefined) throw new SensoriumError('missing_field', `${param} is missing.`, { param });
    if (typeof value !== 'string') throw wrongType(param, 'a string');
    return [{ type: 'text', text: value }];
  }

  private media(part: JsonObject, key: string, type: string | undefined, partParam: string): MediaPart {
    const modality = PAYLOAD_KEYS.find(([payloadKey]) => payloadKey === key)?.[1] ?? 'image';
    const param = `${partParam}.${key}`;
    this.counter.add(modality, partParam);
    const uuid = readUuid(part.uuid, `${partParam}.uuid`);
    const media: MediaPart = { modality, uuid, param, options: readPartOptions(part, part[key]) };
    const source = this.source(part[key], key, type, { modality, param, hasUuid: uuid !== undefined });
    if (source?.kind === 'path') this.localFiles.push({ part: media, path: source.path });
    else media.source = source;
    return media;
  }

  private source(
    payload: unknown,
    key: string,
    type: string | undefined,
    context: { modality: Modality; param: string; hasUuid: boolean },
  ): PayloadSource | undefined {
    const { param, hasUuid } = context;
    const isEmpty = payload === undefined || payload === null || (isObject(payload) && isBare(payload));
    if (isEmpty && hasUuid) return undefined;
    if (isEmpty)
      throw new SensoriumError('missing_field', `${param} is missing and the part has no uuid.`, { param });
    const payloadContext = { ...context, isStrict: this.options.isStrict, mayBePath: !key.endsWith('_url') };
    if (key === 'input_audio' && isObject(payload) && 'data' in payload) {
      return readInputAudio(payload, { ...payloadContext, mayBePath: false });
    }
    const isBareStringAllowed =
      !this.options.isStrict ||
      type === undefined ||
      type === 'input_image' ||
      hasUuid ||
      !key.endsWith('_url');
    if (typeof payload === 'string' && !isBareStringAllowed) throw wrongType(param, "an object with a 'url'");
    return readPayload(payload, payloadContext);
  }
}

/** An object that carries nothing but null values. */
const isBare = (value: JsonObject): boolean =>
  Object.getPrototypeOf(value) === Object.prototype &&
  Object.values(value).every((entry) => entry === null || entry === undefined);

function readInputAudio(
  payload: JsonObject,
  context: { modality: Modality; param: string; isStrict: boolean; mayBePath: boolean },
): PayloadSource {
  const { data, format } = payload;
  const param = `${context.param}.data`;
  if (typeof data !== 'string') return readPayload(data, { ...context, param });
  if (data === '') throw new SensoriumError('missing_field', `${param} is empty.`, { param });
  if (format !== undefined && format !== null && typeof format !== 'string') {
    throw wrongType(`${context.param}.format`, 'a string');
  }
  // Base64 holds no colon: a colon means that the client sent a URL.
  if (data.slice(0, 16).includes(':')) return { kind: 'url', url: data };
  const subtype = /^[\w.+-]{1,32}$/.test(format ?? '') ? format : 'wav';
  return { kind: 'url', url: `data:audio/${subtype};base64,${data}` };
}

function readUuid(value: unknown, param: string): string | undefined {
  if (value === undefined || value === null) return undefined;
  if (typeof value !== 'string' && typeof value !== 'number') throw wrongType(param, 'a string');
  const uuid = String(value);
  if (uuid === '' || uuid.length > MAX_UUID_LENGTH) {
    throw new SensoriumError('invalid_value', `${param} must have 1 to ${MAX_UUID_LENGTH} characters.`, {
      param,
    });
  }
  return uuid;
}

/** Processor options beside a part's payload or inside it. */
function readPartOptions(part: JsonObject, payload: unknown): Record<string, unknown> | undefined {
  const options: Record<string, unknown> = {};
  const isDescribed = isObject(payload) && !('frames' in payload);
  for (const key of PART_OPTION_KEYS) {
    const value = part[key] ?? (isDescribed ? payload[key] : undefined);
    if (value !== undefined) options[key] = value;
  }
  return Object.keys(options).length === 0 ? undefined : options;
}

/** Checks messages and finds their media, in order. Nothing is fetched; limits are checked here. */
export function parseMessages(messages: unknown, options: ParseMessagesOptions): ParsedMessages {
  const param = options.param ?? 'messages';
  if (messages === undefined) throw new SensoriumError('missing_field', `${param} is missing.`, { param });
  if (!Array.isArray(messages)) throw wrongType(param, 'a list');
  if (messages.length === 0) throw new SensoriumError('prompt_empty', `${param} is empty.`, { param });
  if (messages.length > MAX_MESSAGES) {
    throw new SensoriumError(
      'invalid_value',
      `${param} has ${messages.length} entries; ${MAX_MESSAGES} are the most.`,
      { param },
    );
  }
  const parser = new MessageParser(options);
  const parsed = messages.map((message: unknown, i) => parser.message(message, `${param}[${i}]`));
  return { messages: parsed, localFiles: parser.localFiles };
}
