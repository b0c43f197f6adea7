import { SensoriumError } from '../errors.js';
import type { ChatMessage, ChatOptions, ContentPart } from '../request/types.js';
import type { ContentFormat } from './content-format.js';
import { ContentText, type MediaOrder, type Placeholders } from './content-text.js';
import type { Neutraliser } from './neutralise.js';

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
  const reserved = RESERVED_VARIABLES.find((name) => Object.hasOwn(kwargs, name));
  if (reserved === undefined) return;
  const param = `chat_template_kwargs.${reserved}`;
  throw new SensoriumError('invalid_value', `chat_template_kwargs may not set '${reserved}'.`, { param });
}

/** What asking for an effort means to templates: thinking is off for none, unless the client says otherwise. */
function effortVariables(effort: string | undefined): JsonObject {
  return effort === undefined ? {} : { reasoning_effort: effort, enable_thinking: effort !== 'none' };
}

/** Parts as a loop over them expects: `{ type: 'text', text }`, `{ type: 'image' }`, each with its further keys. */
function asParts(parts: readonly ContentPart[], neutraliser: Neutraliser): JsonObject[] {
  return parts.map((part) => {
    const extra = part.extra === undefined ? {} : (neutraliser.value(part.extra) as JsonObject);
    return part.type === 'text'
      ? { ...extra, type: 'text', text: neutraliser.text(part.text) }
      : { ...extra, type: part.media.modality };
  });
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
  const { tool_calls: calls, ...given } = extra;
  // Templates know reasoning by its older name.
  const rest = given.reasoning === undefined ? given : { reasoning_content: given.reasoning, ...given };
  if (!Array.isArray(calls) || calls.length === 0) return rest;
  return { ...rest, tool_calls: calls.map(decodeToolCall) };
}

/** A message with the path of its content in the request. */
interface PlacedMessage {
  message: ChatMessage;
  param: string;
}

/** Messages of texts as one, a blank line between them. */
function joinMessages(messages: readonly ChatMessage[]): ChatMessage {
  const texts = messages.map(({ content }) =>
    content.map((part) => (part.type === 'text' ? part.text : '')).join('\n'),
  );
  const isPlainText = messages.every((message) => message.isPlainText);
  return { role: 'system', content: [{ type: 'text', text: texts.join('\n\n') }], isPlainText, extra: {} };
}

export interface ContextParts {
  template: TemplateInfo;
  neutraliser: Neutraliser;
  placeholders: Placeholders;
  mediaOrder: MediaOrder;
  /** bos_token and its like. */
  tokenVariables: Readonly<Record<string, string>>;
}

/** Builds the variables a template is rendered with. */
export class ContextBuilder {
  private readonly contentText: ContentText;

  constructor(private readonly parts: ContextParts) {
    this.contentText = new ContentText(parts.neutraliser, parts.placeholders, parts.mediaOrder);
  }

  build(messages: readonly ChatMessage[], options: ChatOptions, addGenerationPrompt: boolean): JsonObject {
    const { neutraliser, tokenVariables } = this.parts;
    const kwargs = options.chatTemplateKwargs ?? {};
    checkKwargs(kwargs);
    return {
      ...effortVariables(options.reasoningEffort),
      ...(neutraliser.value(kwargs) as JsonObject),
      ...tokenVariables,
      messages: this.withoutDevelopers(messages).map(({ message, param }) => this.message(message, param)),
      tools: options.tools === undefined ? null : neutraliser.value(options.tools),
      ...(options.documents !== undefined && { documents: neutraliser.value(options.documents) }),
      add_generation_prompt: addGenerationPrompt,
    };
  }

  /** For templates that know no developers: they speak as the system, and all of the system speaks first. */
  private withoutDevelopers(messages: readonly ChatMessage[]): PlacedMessage[] {
    const placed = messages.map((message, i) => ({ message, param: `messages[${i}].content` }));
    const hasDeveloper = messages.some(({ role }) => role === 'developer');
    if (!hasDeveloper || this.parts.template.source.includes('developer')) return placed;
    const spoken = placed.map(({ message, param }) =>
      message.role === 'developer' ? { message: { ...message, role: 'system' }, param } : { message, param },
    );
    const ofSystem = spoken.filter(({ message }) => message.role === 'system').map(({ message }) => message);
    if (!ofSystem.every(({ content }) => content.every((part) => part.type === 'text'))) return spoken;
    const others = spoken.filter(({ message }) => message.role !== 'system');
    return [{ message: joinMessages(ofSystem), param: 'messages' }, ...others];
  }

  private message(message: ChatMessage, param: string): JsonObject {
    const extra = this.parts.neutraliser.value(decodeExtra(message.extra)) as JsonObject;
    return { ...extra, role: message.role, content: this.content(message, param) };
  }

  private content({ content, isPlainText }: ChatMessage, param: string): unknown {
    const { format, source } = this.parts.template;
    const takesText = format === 'string' || (isPlainText && source.includes('is string'));
    return takesText ? this.contentText.write(content, param) : asParts(content, this.parts.neutraliser);
  }
}
