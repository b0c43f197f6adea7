import { SensoriumError } from '../errors.js';
import type { MediaPart } from '../media/types.js';
import type { PlaceholderTokens } from '../processors/types.js';
import type { ChatMessage, ChatOptions, ContentPart } from '../request/types.js';
import type { ContentFormat } from './content-format.js';
import type { Neutraliser } from './neutralise.js';

export type Placeholders = Partial<Record<MediaPart['modality'], PlaceholderTokens>>;

/** One template and what it expects. */
export interface TemplateInfo {
  source: string;
  format: ContentFormat;
}

type JsonObject = Record<string, unknown>;

/** Variables that requests may not set: they carry the conversation, or name control tokens. */
const RESERVED_VARIABLES = [
  'messages',
  'tools',
  'add_generation_prompt',
  'continue_final_message',
  'chat_template',
  'tokenize',
  'bos_token',
  'eos_token',
  'pad_token',
  'unk_token',
];

const isObject = (value: unknown): value is JsonObject =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

function checkKwargs(kwargs: Record<string, unknown>): void {
  const reserved = RESERVED_VARIABLES.find((name) => name in kwargs);
  if (reserved === undefined) return;
  const param = `chat_template_kwargs.${reserved}`;
  throw new SensoriumError('invalid_value', `chat_template_kwargs may not set '${reserved}'.`, { param });
}

/** Parts as a loop over them expects: `{ type: 'text', text }`, `{ type: 'image' }`. */
function asParts(parts: readonly ContentPart[], neutraliser: Neutraliser): JsonObject[] {
  return parts.map((part) =>
    part.type === 'text'
      ? { type: 'text', text: neutraliser.text(part.text) }
      : { type: part.media.modality },
  );
}

/** Parts as one text: media spelled where they stand, neighbouring texts on lines of their own. */
function asText(parts: readonly ContentPart[], neutraliser: Neutraliser, placeholders: Placeholders): string {
  return parts
    .map((part, i) => {
      if (part.type === 'media') return placeholders[part.media.modality]?.spelling ?? '';
      return (parts[i - 1]?.type === 'text' ? '\n' : '') + neutraliser.text(part.text);
    })
    .join('');
}

/** OpenAI sends tool arguments as JSON text; templates print objects. */
function decodeArguments(value: unknown): unknown {
  if (value === undefined || value === null || value === '') return {};
  if (typeof value !== 'string') return value;
  try {
    return JSON.parse(value);
  } catch {
    return value;
  }
}

function decodeToolCall(call: unknown): unknown {
  if (!isObject(call) || !isObject(call.function)) return call;
  return { ...call, function: { ...call.function, arguments: decodeArguments(call.function.arguments) } };
}

function decodeExtra(extra: JsonObject): JsonObject {
  const { tool_calls: calls, ...rest } = extra;
  if (!Array.isArray(calls) || calls.length === 0) return rest;
  return { ...rest, tool_calls: calls.map(decodeToolCall) };
}

/** Builds the variables a template is rendered with. */
export class ContextBuilder {
  constructor(
    private readonly template: TemplateInfo,
    private readonly neutraliser: Neutraliser,
    private readonly placeholders: Placeholders,
    private readonly tokenVariables: Readonly<Record<string, string>>,
  ) {}

  build(messages: readonly ChatMessage[], options: ChatOptions, addGenerationPrompt: boolean): JsonObject {
    const kwargs = options.chatTemplateKwargs ?? {};
    checkKwargs(kwargs);
    return {
      ...(this.neutraliser.value(kwargs) as JsonObject),
      ...this.tokenVariables,
      messages: messages.map((message) => this.message(message)),
      tools: options.tools === undefined ? null : this.neutraliser.value(options.tools),
      add_generation_prompt: addGenerationPrompt,
    };
  }

  private message(message: ChatMessage): JsonObject {
    const extra = this.neutraliser.value(decodeExtra(message.extra)) as JsonObject;
    return { ...extra, role: this.role(message.role), content: this.content(message) };
  }

  private role(role: string): string {
    const isDeveloperKnown = this.template.source.includes('developer');
    return role === 'developer' && !isDeveloperKnown ? 'system' : role;
  }

  private content({ content, isPlainText }: ChatMessage): unknown {
    const takesText = this.template.format === 'string' || this.template.source.includes('is string');
    if (this.template.format === 'string' || (isPlainText && takesText)) {
      return asText(content, this.neutraliser, this.placeholders);
    }
    return asParts(content, this.neutraliser);
  }
}
