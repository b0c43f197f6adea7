import { parseMessages } from '../chat/parts.js';
import { SensoriumError } from '../errors.js';
import type { MediaRules } from '../llm/types.js';
import { chatProperties, toChatOptions, type WireChat } from './chat-completion.js';
import { readCacheSalt, streamProperties } from './common.js';
import { checkTokenIds } from './completion.js';
import type { ChatMessage, ChatOptions } from './types.js';
import { bodyChecker } from './validate.js';

export type TokenizeRequest = { model?: string | undefined; cacheSalt?: string | undefined } & (
  { prompt: string; addSpecialTokens: boolean } | { messages: ChatMessage[]; options: ChatOptions }
);

export interface DetokenizeRequest {
  model?: string | undefined;
  tokens: number[];
}

/** Token ids that one /detokenize call may hold. */
const MAX_DETOKENIZED = 2 ** 18;

const { model, cache_salt } = streamProperties;

const checkTokenize = bodyChecker<
  Partial<WireChat> & { model?: string; cache_salt?: string; prompt?: string }
>({
  ...chatProperties,
  model,
  cache_salt,
  prompt: { type: 'string' },
});

const checkDetokenize = bodyChecker<{ model?: string; tokens: unknown[] }>(
  { model, tokens: { type: 'array', maxItems: MAX_DETOKENIZED } },
  ['tokens'],
);

/** Checks the body of POST /tokenize: a prompt or messages. */
export function parseTokenize(body: unknown, rules: MediaRules): TokenizeRequest {
  const wire = checkTokenize(body);
  const common = { model: wire.model, cacheSalt: readCacheSalt(wire) };
  if (wire.prompt !== undefined && wire.messages !== undefined) {
    throw new SensoriumError('invalid_value', "Give either 'prompt' or 'messages', not both.", {
      param: 'prompt',
    });
  }
  if (wire.prompt !== undefined) {
    return { ...common, prompt: wire.prompt, addSpecialTokens: wire.add_special_tokens ?? true };
  }
  if (wire.messages === undefined) {
    throw new SensoriumError('missing_field', "'prompt' or 'messages' is required.", { param: 'prompt' });
  }
  return {
    ...common,
    messages: parseMessages(wire.messages, { rules, isStrict: true }).messages,
    options: toChatOptions(wire as WireChat),
  };
}

/** Checks the body of POST /detokenize. */
export function parseDetokenize(body: unknown): DetokenizeRequest {
  const wire = checkDetokenize(body);
  return { model: wire.model, tokens: checkTokenIds(wire.tokens, 'tokens') };
}
