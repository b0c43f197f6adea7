import { SensoriumError } from '../errors.js';
import type { MediaRules } from '../llm/types.js';
import type { MediaPart, MediaSource, Modality } from '../media/types.js';
import type { ChatMessage, ContentPart } from '../request/types.js';
import { readEmbeddings } from './embedding-source.js';
import { checkId } from './identifiers.js';
import { MediaCounter } from './media-counter.js';
import { readPayload } from './media-source.js';
import { checkMessageFields } from './message-fields.js';
import { extraKeysOf, isGiven, kindOfPart, type JsonObject, type Payload } from './part-kinds.js';
import { withSnakeNames } from './snake-name.js';

export { MediaCounter } from './media-counter.js';

export interface ParseMessagesOptions {
  rules: MediaRules;
  /** Wire messages: no in-process payloads such as bytes or paths. */
  isStrict: boolean;
  /** Path of the messages in the request. Default `messages`. */
  param?: string | undefined;
}

export interface ParsedMessages {
  messages: ChatMessage[];
}

const ROLES = ['system', 'developer', 'user', 'assistant', 'tool', 'function'];
const MAX_MESSAGES = 4096;
/** Content parts of a conversation, texts included. */
const MAX_PARTS = 16_384;

const PART_OPTION_KEYS = [
  'min_pixels',
  'max_pixels',
  'total_pixels',
  'resized_height',
  'resized_width',
  'fps',
  'nframes',
  'num_frames',
  'min_frames',
  'max_frames',
  'video_start',
  'video_end',
];
/** Keys of a payload that describe media and hold none. */
const DESCRIPTIONS: ReadonlySet<string> = new Set([...PART_OPTION_KEYS, 'detail', 'format', 'metadata']);

const isObject = (value: unknown): value is JsonObject =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

const wrongType = (param: string, expected: string): SensoriumError =>
  new SensoriumError('invalid_type', `${param} must be ${expected}.`, { param });

/** Walks messages once. */
class MessageParser {
  private readonly counter: MediaCounter;
  private numParts = 0;

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
    const parts = this.content(content, `${param}.content`);
    // Templates print what a tool answered as it is.
    const isText = role === 'tool' && parts.every((part) => part.type === 'text');
    return { role, content: parts, isPlainText: !Array.isArray(content) || isText, extra };
  }

  private content(value: unknown, param: string): ContentPart[] {
    if (!isGiven(value)) return [];
    if (typeof value === 'string') return [{ type: 'text', text: value }];
    if (!Array.isArray(value)) throw wrongType(param, 'a string or a list of parts');
    this.numParts += value.length;
    if (this.numParts > MAX_PARTS) {
      const message = `A conversation may have at most ${MAX_PARTS} content parts.`;
      throw new SensoriumError('invalid_value', message, { param });
    }
    return value.flatMap((part: unknown, i) => this.part(part, `${param}[${i}]`));
  }

  private part(value: unknown, param: string): ContentPart[] {
    if (typeof value === 'string') return [{ type: 'text', text: value }];
    if (!isObject(value)) throw wrongType(param, 'a string or an object');
    const kind = kindOfPart(value, param);
    // Payloads of a program are no JSON, and templates take nothing else.
    const extra = this.options.isStrict ? extraKeysOf(value) : undefined;
    if (kind.kind === 'media') {
      return [{ type: 'media', media: this.media(value, kind.payload, param), ...(extra && { extra }) }];
    }
    const text = readText(value[kind.key], `${param}.${kind.key}`);
    return text === undefined ? [] : [{ type: 'text', text, ...(extra && { extra }) }];
  }

  private media(part: JsonObject, payload: Payload, partParam: string): MediaPart {
    const { key, modality, isEmbedding } = payload;
    const param = `${partParam}.${key}`;
    const uuid = readUuid(part.uuid, `${partParam}.uuid`);
    const data = uuid === undefined || hasData(part[key]) ? part[key] : undefined;
    const isTensor = isEmbedding && (isGiven(data) || this.options.rules.hasEmbeddings);
    this.counter.add(modality, partParam, isTensor ? 'embeddings' : 'raw');
    const options = readPartOptions(part, part[key], this.options.isStrict);
    const media: MediaPart = { modality, uuid, param, options };
    if (uuid !== undefined && !isGiven(data)) return media;
    media.source = this.source(part, payload, param);
    return media;
  }

  private source(part: JsonObject, { key, modality, isEmbedding }: Payload, param: string): MediaSource {
    const payload = part[key];
    const isMissing = !isGiven(payload) || payload === '';
    if (isMissing || (!isEmbedding && isObject(payload) && isBare(payload))) {
      throw new SensoriumError('missing_field', `${param} is missing and the part has no uuid.`, { param });
    }
    const { isStrict } = this.options;
    if (isEmbedding) return readEmbeddings(payload, { modality, param, isStrict });
    const { metadata } = part;
    const payloadContext = { modality, param, isStrict, mayBePath: !key.endsWith('_url'), metadata };
    if (key === 'input_audio' && isObject(payload) && 'data' in payload) {
      return readInputAudio(payload, { ...payloadContext, mayBePath: false });
    }
    if (typeof payload === 'string' && !this.mayBeBareString(part, key)) {
      throw wrongType(param, "an object with a 'url'");
    }
    return readPayload(payload, payloadContext);
  }

  /** Wire parts wrap URLs in an object, as OpenAI's do, unless another form is told by the part. */
  private mayBeBareString(part: JsonObject, key: string): boolean {
    if (!this.options.isStrict || !key.endsWith('_url')) return true;
    return !isGiven(part.type) || part.type === 'input_image' || isGiven(part.uuid);
  }
}

const isPlainObject = (value: unknown): value is JsonObject =>
  isObject(value) && [Object.prototype, null].includes(Object.getPrototypeOf(value) as object | null);

/** An object that carries nothing but null values. */
const isBare = (value: JsonObject): boolean =>
  isPlainObject(value) && Object.values(value).every((entry) => !isGiven(entry));

/** Whether a payload holds media: not null, not empty, not a mere description. */
function hasData(payload: unknown): boolean {
  if (!isGiven(payload) || payload === '') return false;
  if (!isPlainObject(payload)) return true;
  return Object.entries(payload).some(
    ([key, value]) => !DESCRIPTIONS.has(key) && isGiven(value) && value !== '',
  );
}

function readInputAudio(
  payload: JsonObject,
  context: { modality: Modality; param: string; isStrict: boolean; mayBePath: boolean },
): MediaSource {
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

/** The text of a part; undefined for null, which is no part. */
function readText(value: unknown, param: string): string | undefined {
  if (value === null) return undefined;
  if (value === undefined) throw new SensoriumError('missing_field', `${param} is missing.`, { param });
  if (typeof value !== 'string') throw wrongType(param, 'a string');
  return value;
}

function readUuid(value: unknown, param: string): string | undefined {
  if (!isGiven(value)) return undefined;
  if (typeof value !== 'string' && typeof value !== 'number') throw wrongType(param, 'a string');
  return checkId(String(value), param);
}

/** Processor options beside a part's payload, in process also by camelCase names, or inside it. */
function readPartOptions(
  part: JsonObject,
  payload: unknown,
  isStrict: boolean,
): Record<string, unknown> | undefined {
  const options: Record<string, unknown> = {};
  const isDescribed = isObject(payload) && !('frames' in payload);
  const named = isStrict ? part : withSnakeNames(part);
  for (const key of PART_OPTION_KEYS) {
    const value = named[key] ?? (isDescribed ? payload[key] : undefined);
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
  return { messages: parsed };
}
