import { checkId } from '../chat/identifiers.js';
import { SensoriumError } from '../errors.js';
import { REASONING_EFFORTS } from '../request/chat-completion.js';
import type { ChatOptions } from '../request/types.js';

/** Options of `chat` beside those of `generate`, and what each must be. */
const CHAT_OPTION_TYPES = {
  chatTemplate: 'a text',
  chatTemplateKwargs: 'an object',
  addGenerationPrompt: 'true or false',
  continueFinalMessage: 'true or false',
  tools: 'a list',
  documents: 'a list',
  reasoningEffort: `one of ${REASONING_EFFORTS.join(', ')}`,
  addSpecialTokens: 'true or false',
} as const satisfies Partial<Record<keyof ChatOptions, string>>;

type ChatOption = keyof typeof CHAT_OPTION_TYPES;

export const CHAT_OPTIONS = Object.keys(CHAT_OPTION_TYPES) as ChatOption[];

function isOfType(option: ChatOption, value: unknown): boolean {
  switch (option) {
    case 'chatTemplate':
      return typeof value === 'string' && value !== '';
    case 'chatTemplateKwargs':
      return typeof value === 'object' && value !== null && !Array.isArray(value);
    case 'tools':
    case 'documents':
      return Array.isArray(value);
    case 'reasoningEffort':
      return (REASONING_EFFORTS as readonly unknown[]).includes(value);
    default:
      return typeof value === 'boolean';
  }
}

/** The options of `chat` alone, checked. Throws `invalid_option`, naming the option. */
export function readChatOptions(options: ChatOptions): Pick<ChatOptions, ChatOption> {
  const entries = CHAT_OPTIONS.map((option) => {
    const value: unknown = options[option];
    if (value === undefined || isOfType(option, value)) return [option, value] as const;
    const message = `The option ${option} must be ${CHAT_OPTION_TYPES[option]}.`;
    throw new SensoriumError('invalid_option', message, { param: option });
  });
  return Object.fromEntries(entries);
}

/** A salt of a call's, checked as one of the wire's is. Throws `invalid_option`, `invalid_value`. */
export function readCallSalt(salt: unknown): string | undefined {
  if (salt === undefined) return undefined;
  if (typeof salt === 'string') return checkId(salt, 'cacheSalt');
  throw new SensoriumError('invalid_option', 'The option cacheSalt must be a text.', { param: 'cacheSalt' });
}
