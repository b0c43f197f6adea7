import { parseMessages } from '../chat/parts.js';
import { SensoriumError } from '../errors.js';
import type { MediaRules } from '../llm/types.js';
import { chatProperties, toChatOptions, type WireChat } from './chat-completion.js';
import { readCacheSalt, streamProperties } from './common.js';
import { toPrompts, type Prompt } from './completion.js';
import type { ChatMessage, ChatOptions } from './types.js';
import { bodyChecker, type JsonObject } from './validate.js';

/** A text or token ids as they are, or messages that the chat template renders. */
export type EmbeddingInput = { prompt: Prompt } | { messages: ChatMessage[] };

export interface EmbeddingsRequest {
  model?: string | undefined;
  cacheSalt?: string | undefined;
  inputs: EmbeddingInput[];
  options: ChatOptions;
  encodingFormat: 'float' | 'base64';
  dimensions?: number | undefined;
  isNormalized: boolean;
}

interface WireEmbeddings extends Partial<WireChat> {
  model?: string;
  cache_salt?: string;
  input?: unknown;
  encoding_format?: 'float' | 'base64';
  dimensions?: number;
  normalize?: boolean;
  use_activation?: boolean;
}

/** OpenAI's cap on the entries of one request. */
const MAX_INPUTS = 2048;

const { model, cache_salt } = streamProperties;
const { tools: _tools, ...messageProperties } = chatProperties;

const checkBody = bodyChecker<WireEmbeddings>({
  ...messageProperties,
  model,
  cache_salt,
  input: { type: ['string', 'array', 'object'] },
  encoding_format: { type: 'string', enum: ['float', 'base64'] },
  dimensions: { type: 'integer', minimum: 1, maximum: 1_000_000 },
  normalize: { type: 'boolean' },
  use_activation: { type: 'boolean' },
});

const isObject = (value: unknown): value is JsonObject =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/** `{ content }`, one message of a user, or the bare content parts of one. */
function toConversation(value: JsonObject, param: string, rules: MediaRules): EmbeddingInput {
  const message = { role: 'user', ...value };
  try {
    return { messages: parseMessages([message], { rules, isStrict: true, param }).messages };
  } catch (error) {
    if (!(error instanceof SensoriumError)) throw error;
    // The list around the message is ours.
    throw error.renamingParam(error.param, (error.param ?? param).replace(`${param}[0]`, param));
  }
}

function toInputs(value: unknown, rules: MediaRules): EmbeddingInput[] {
  const entries = Array.isArray(value) && value.some(isObject) ? (value as unknown[]) : undefined;
  if (isObject(value)) return [toConversation(value, 'input', rules)];
  if (entries === undefined)
    return toPrompts(value as string | unknown[], 'input').map((prompt) => ({ prompt }));
  return entries.flatMap((entry, i): EmbeddingInput[] =>
    isObject(entry)
      ? [toConversation(entry, `input[${i}]`, rules)]
      : toPrompts(entry as string, `input[${i}]`).map((prompt) => ({ prompt })),
  );
}

/** Checks the body of POST /v1/embeddings: `input`, or `messages` of one conversation. */
export function parseEmbeddings(body: unknown, rules: MediaRules): EmbeddingsRequest {
  const wire = checkBody(body);
  if ((wire.input === undefined) === (wire.messages === undefined)) {
    const code = wire.input === undefined ? 'missing_field' : 'invalid_value';
    throw new SensoriumError(code, "Give either 'input' or 'messages'.", { param: 'input' });
  }
  const inputs =
    wire.messages === undefined
      ? toInputs(wire.input, rules)
      : [{ messages: parseMessages(wire.messages, { rules, isStrict: true }).messages }];
  if (inputs.length > MAX_INPUTS) {
    throw new SensoriumError('invalid_value', `'input' has more than ${MAX_INPUTS} entries.`, {
      param: 'input',
    });
  }
  const chat = { ...wire, add_generation_prompt: wire.add_generation_prompt ?? false } as WireChat;
  return {
    model: wire.model,
    cacheSalt: readCacheSalt(wire),
    inputs,
    options: toChatOptions(chat),
    encodingFormat: wire.encoding_format ?? 'float',
    dimensions: wire.dimensions,
    isNormalized: wire.normalize ?? wire.use_activation ?? true,
  };
}
