import { SensoriumError, toSensoriumError } from '../errors.js';
import type { MediaPart, Modality } from '../media/types.js';
import type { ChatMessage, ChatOptions, ContentPart, RenderedPrompt } from '../request/types.js';
import type { Tokenizer } from '../tokenizer/tokenizer.js';
import type { ContentFormat } from './content-format.js';
import type { MediaOrder, Placeholders } from './content-text.js';
import { Neutraliser } from './neutralise.js';
import { RequestTemplates } from './request-templates.js';
import { ContextBuilder, type TemplateInfo } from './template-context.js';
import { TemplatePool, type TemplatePoolOptions } from './template-pool.js';

export interface ChatRendererParts {
  tokenizer: Tokenizer;
  placeholders: Placeholders;
  /** Absent: the model has no chat template, and rendering is `template_missing`. */
  templates?: { default: string; toolUse?: string | undefined } | undefined;
  /** Contents of tokenizer_config.json, for bos_token and its like. */
  tokenizerConfig: Record<string, unknown>;
  /** What every template expects of contents. Absent: read from each template. */
  contentFormat?: ContentFormat | undefined;
  /** Default `interleaved`. */
  mediaOrder?: MediaOrder | undefined;
  /** Whether requests may bring templates of their own. Default false. */
  trustRequestTemplates?: boolean | undefined;
  pool?: Partial<TemplatePoolOptions> | undefined;
}

/** The template of one rendering, and how it is rendered. */
interface ChosenTemplate {
  template: TemplateInfo;
  render: (variables: Record<string, unknown>) => Promise<string>;
}

/** Looks at a prompt while it is made, and refuses it by throwing. */
export interface PromptGuard {
  /** The whole text, before it is tokenised. */
  checkText(text: string): void;
  /** The number of tokens so far. */
  checkNumTokens(numTokens: number): void;
}

const TOKEN_VARIABLES = [
  'bos_token',
  'eos_token',
  'pad_token',
  'unk_token',
  'sep_token',
  'cls_token',
  'mask_token',
];

function readTokenVariables(tokenizerConfig: Record<string, unknown>): Record<string, string> {
  const variables: Record<string, string> = {};
  for (const name of TOKEN_VARIABLES) {
    const value = tokenizerConfig[name];
    const content: unknown =
      typeof value === 'object' && value !== null && 'content' in value ? value.content : value;
    if (typeof content === 'string') variables[name] = content;
  }
  return variables;
}

function mediaOf(messages: readonly ChatMessage[]): MediaPart[] {
  return messages.flatMap((message) =>
    message.content.flatMap((part) => (part.type === 'media' ? [part.media] : [])),
  );
}

/** The media in the order of their placeholders: the k-th of a modality is the k-th part of that modality. */
export function orderMedia(
  tokenIds: readonly number[],
  media: readonly MediaPart[],
  placeholders: Placeholders,
  writer: string,
): MediaPart[] {
  const modalityOf = new Map<number, Modality>();
  const waiting = new Map<Modality, MediaPart[]>();
  for (const modality of ['image', 'video', 'audio'] as const) {
    const tokens = placeholders[modality];
    if (tokens !== undefined) modalityOf.set(tokens.tokenId, modality);
    waiting.set(
      modality,
      media.filter((part) => part.modality === modality),
    );
  }
  const ordered: MediaPart[] = [];
  const counts = new Map<Modality, number>();
  for (const id of tokenIds) {
    const modality = modalityOf.get(id);
    if (modality === undefined) continue;
    const k = counts.get(modality) ?? 0;
    counts.set(modality, k + 1);
    const part = waiting.get(modality)?.[k];
    if (part !== undefined) ordered.push(part);
  }
  for (const [modality, parts] of waiting) {
    const numPlaceholders = counts.get(modality) ?? 0;
    // A prompt may spell the sound of a video beside the video.
    const numOptional = modality === 'audio' ? (waiting.get('video')?.length ?? 0) : 0;
    if (numPlaceholders >= parts.length && numPlaceholders <= parts.length + numOptional) continue;
    throw mismatch(modality, numPlaceholders, parts, { writer, spelling: placeholders[modality]?.spelling });
  }
  return ordered;
}

function mismatch(
  modality: Modality,
  numPlaceholders: number,
  parts: readonly MediaPart[],
  { writer, spelling }: { writer: string; spelling: string | undefined },
): SensoriumError {
  const hint =
    spelling === undefined ? '' : ` One placeholder is spelled ${spelling.replaceAll('{n}', '1')}.`;
  const message = `${writer} has ${numPlaceholders} ${modality} placeholder(s) for ${parts.length} ${modality} item(s).`;
  const param = parts[numPlaceholders]?.param ?? 'prompt';
  return new SensoriumError('placeholder_mismatch', message + hint, { param });
}

/** Turns a conversation into token ids with one placeholder per medium, by the checkpoint's template. */
export class ChatRenderer {
  private readonly tokenVariables: Readonly<Record<string, string>>;

  private constructor(
    private readonly parts: ChatRendererParts,
    private readonly pool: TemplatePool | undefined,
    private readonly templates: readonly TemplateInfo[],
    private readonly requestTemplates: RequestTemplates | undefined,
  ) {
    this.tokenVariables = readTokenVariables(parts.tokenizerConfig);
  }

  /** Compiles the templates in a worker. Rejects with `invalid_template`. */
  static async create(parts: ChatRendererParts): Promise<ChatRenderer> {
    const { templates: given, contentFormat } = parts;
    const sources = [given?.default, given?.toolUse].filter((source) => source !== undefined);
    const pool = sources.length === 0 ? undefined : new TemplatePool(sources, parts.pool);
    try {
      const formats = (await pool?.start()) ?? [];
      const templates = sources.map((source, i) => ({
        source,
        format: contentFormat ?? formats[i] ?? 'string',
      }));
      const ofRequests = parts.trustRequestTemplates === true ? await RequestTemplates.create() : undefined;
      return new ChatRenderer(parts, pool, templates, ofRequests);
    } catch (error) {
      pool?.close();
      throw error;
    }
  }

  /** `guard` may refuse the prompt while it is made. */
  async render(
    messages: readonly ChatMessage[],
    options: ChatOptions = {},
    guard?: PromptGuard,
  ): Promise<RenderedPrompt> {
    const { tokenizer, placeholders, mediaOrder = 'interleaved' } = this.parts;
    const { tokenVariables } = this;
    const { template, render } = await this.chooseTemplate(options);
    const { neutraliser, conversation, endMark } = this.prepare(template, messages, options);
    const addGenerationPrompt = endMark === undefined && (options.addGenerationPrompt ?? true);
    const builder = new ContextBuilder({ template, neutraliser, placeholders, mediaOrder, tokenVariables });
    const rendered = await render(builder.build(conversation, options, addGenerationPrompt));
    const text = endMark === undefined ? rendered : cutAt(rendered, endMark);
    guard?.checkText(text);
    const tokenIds = await tokenizer.encodeRendered(
      text,
      (plain) => neutraliser.restore(plain),
      (count) => guard?.checkNumTokens(count),
      { addSpecialTokens: options.addSpecialTokens },
    );
    const media = orderMedia(tokenIds, mediaOf(messages), placeholders, 'The rendered chat template');
    return { tokenIds, media };
  }

  private async chooseTemplate(options: ChatOptions): Promise<ChosenTemplate> {
    if (options.chatTemplate !== undefined) return this.takeRequestTemplate(options.chatTemplate);
    const hasTools = options.tools !== undefined && options.tools.length > 0;
    const index = hasTools && this.templates.length > 1 ? 1 : 0;
    const { pool } = this;
    const template = this.templates[index];
    if (pool === undefined || template === undefined) {
      throw new SensoriumError(
        'template_missing',
        'This model has no chat template: use completions, or start it with --chat-template.',
        { param: 'messages' },
      );
    }
    return { template, render: (variables) => pool.render(index, variables) };
  }

  private async takeRequestTemplate(source: string): Promise<ChosenTemplate> {
    const { requestTemplates } = this;
    if (requestTemplates === undefined) {
      const message =
        'A chat template came with the request, and none is taken: start with --trust-request-chat-template.';
      throw new SensoriumError('invalid_value', message, { param: 'chat_template' });
    }
    const blame = (error: unknown): never => {
      throw toSensoriumError(error).withParam('chat_template');
    };
    const { format } = await requestTemplates.inspect(source).catch(blame);
    return {
      template: { source, format: this.parts.contentFormat ?? format },
      render: (variables) => requestTemplates.render(source, variables).catch(blame),
    };
  }

  private prepare(
    template: TemplateInfo,
    messages: readonly ChatMessage[],
    options: ChatOptions,
  ): { neutraliser: Neutraliser; conversation: readonly ChatMessage[]; endMark: string | undefined } {
    const texts = messages.map(({ content, extra }) => [
      content.map((part) => [part.type === 'text' ? part.text : '', part.extra]),
      extra,
    ]);
    const { tools, documents, chatTemplateKwargs: chat_template_kwargs } = options;
    const chat_template = template.source;
    const inputs = { messages: texts, tools, documents, chat_template_kwargs, chat_template };
    const neutraliser = new Neutraliser(this.parts.tokenizer.controlSpellings, inputs);
    if (options.continueFinalMessage !== true)
      return { neutraliser, conversation: messages, endMark: undefined };
    if (options.addGenerationPrompt === true) {
      const message = 'add_generation_prompt and continue_final_message cannot both be true.';
      throw new SensoriumError('invalid_value', message, { param: 'continue_final_message' });
    }
    const endMark = neutraliser.reserve();
    return { neutraliser, conversation: markEnd(messages, endMark), endMark };
  }

  close(): void {
    this.pool?.close();
    this.requestTemplates?.close();
  }
}

/** The conversation with `mark` at the end of its last text. */
function markEnd(messages: readonly ChatMessage[], mark: string): ChatMessage[] {
  const last = messages.at(-1);
  const part: ContentPart | undefined = last?.content.at(-1);
  if (last === undefined || part?.type !== 'text') {
    const message = 'continue_final_message needs a last message that ends in text.';
    throw new SensoriumError('invalid_value', message, { param: 'continue_final_message' });
  }
  const content: ContentPart[] = [...last.content.slice(0, -1), { ...part, text: part.text + mark }];
  return [...messages.slice(0, -1), { ...last, content }];
}

function cutAt(rendered: string, mark: string): string {
  const at = rendered.lastIndexOf(mark);
  if (at >= 0) return rendered.slice(0, at);
  throw new SensoriumError(
    'invalid_template',
    'The chat template does not print the final message that is to be continued.',
    {
      param: 'continue_final_message',
    },
  );
}
