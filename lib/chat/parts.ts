import type { MediaRules } from '../llm/types.js';
import type { MediaPart } from '../media/types.js';
import type { ChatMessage } from '../request/types.js';

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
  localFiles: { part: MediaPart; path: string }[];
}
export declare function parseMessages(messages: unknown, options: ParseMessagesOptions): ParsedMessages;
