import { randomUUID } from 'node:crypto';
import { setMaxListeners } from 'node:events';
import { orderMedia, type ChatRenderer, type PromptGuard } from '../chat/chat-renderer.js';
import { promptTooLong, throwIfAborted, type Engine } from '../engine/engine.js';
import { snakeName, type ParamName } from '../engine/sampling.js';
import type { PoolingResult } from '../engine/types.js';
import type { RunningRequest } from '../engine/types.js';
import { SensoriumError, toSensoriumError } from '../errors.js';
import { disposeOfPrompt } from '../media/item-holds.js';
import type { MediaResolver, MediaTimings } from '../media/resolver.js';
import type { MediaOptions, MediaPart } from '../media/types.js';
import type { ExpandedPrompt, KeyedItem, Processor } from '../processors/types.js';
import type { ChatMessage, ChatOptions, RenderedPrompt } from '../request/types.js';
import type { Tokenizer } from '../tokenizer/tokenizer.js';
import type { Task } from './runner.js';
import type { SubmitOptions } from './types.js';

export interface PipelineParts {
  tokenizer: Tokenizer;
  renderer: ChatRenderer;
  processor: Processor;
  resolver: MediaResolver;
  engine: Engine;
}

interface PrepareOptions {
  cacheSalt?: string | undefined;
  signal?: AbortSignal | undefined;
}

interface Prepared {
  prompt: ExpandedPrompt;
  timings: MediaTimings;
}

const nameOf = ({ paramStyle }: SubmitOptions): ParamName | undefined =>
  paramStyle === 'snake' ? snakeName : undefined;

/** One signal may end any number of requests. */
function shareSignal(signal: AbortSignal | undefined): void {
  if (signal !== undefined) setMaxListeners(0, signal);
}

/** What is wrong with the rendered prompt of a chat is wrong with its messages. */
const blameMessages = (error: unknown): never => {
  throw toSensoriumError(error).renamingParam('prompt', 'messages');
};

/** A request's way from messages or a prompt to the engine: render, resolve media, expand, submit. */
export class RequestPipeline {
  constructor(
    private readonly parts: PipelineParts,
    private readonly task: Task,
  ) {}

  submitChat(
    messages: readonly ChatMessage[],
    options: ChatOptions & SubmitOptions,
  ): Promise<RunningRequest> {
    return this.submit(() => this.renderChat(messages, options), options).catch(blameMessages);
  }

  submitPrompt(
    prompt: string | readonly number[],
    media: readonly MediaPart[],
    options: MediaOptions & SubmitOptions,
  ): Promise<RunningRequest> {
    return this.submit(() => this.readPrompt(prompt, media), options);
  }

  /** The embedding of a prompt. */
  async embedPrompt(
    prompt: string | readonly number[],
    media: readonly MediaPart[],
    options: MediaOptions & PrepareOptions & { isNormalized: boolean },
  ): Promise<PoolingResult> {
    this.checkTask();
    shareSignal(options.signal);
    this.parts.resolver.checkOptions(options);
    return this.pool(await this.readPrompt(prompt, media), options);
  }

  /** The embedding of a conversation, rendered by the chat template. */
  async embedChat(
    messages: readonly ChatMessage[],
    options: ChatOptions & PrepareOptions & { isNormalized: boolean },
  ): Promise<PoolingResult> {
    this.checkTask();
    shareSignal(options.signal);
    try {
      this.parts.resolver.checkOptions(options);
      return await this.pool(await this.renderChat(messages, options), options);
    } catch (error) {
      return blameMessages(error);
    }
  }

  private async pool(
    rendered: RenderedPrompt,
    options: MediaOptions & PrepareOptions & { isNormalized: boolean },
  ): Promise<PoolingResult> {
    const { isNormalized, cacheSalt = '', signal } = options;
    return this.withPrompt(rendered, options, ({ prompt }) =>
      this.parts.engine.pool({ prompt, cacheSalt, isNormalized, signal }),
    );
  }

  /** The chat's token ids, each medium expanded to its tokens. */
  async expandChat(
    messages: readonly ChatMessage[],
    options: ChatOptions & PrepareOptions,
  ): Promise<Int32Array> {
    this.checkTask();
    try {
      this.parts.resolver.checkOptions(options);
      const rendered = await this.renderChat(messages, options);
      return await this.withPrompt(rendered, options, ({ prompt }) => prompt.promptIds);
    } catch (error) {
      return blameMessages(error);
    }
  }

  /** `render` runs after everything that can be checked without it. */
  private async submit(
    render: () => Promise<RenderedPrompt>,
    options: MediaOptions & SubmitOptions,
  ): Promise<RunningRequest> {
    this.checkTask();
    this.checkGenerates();
    const startedAt = performance.now();
    const sampling = options.sampling ?? {};
    throwIfAborted(options.signal);
    shareSignal(options.signal);
    this.parts.engine.checkBeforehand(sampling, nameOf(options));
    this.parts.resolver.checkOptions(options);
    return this.withPrompt(await render(), options, ({ prompt, timings }) =>
      this.parts.engine.submit(
        {
          requestId: options.requestId ?? `req-${randomUUID()}`,
          prompt,
          sampling,
          cacheSalt: options.cacheSalt ?? '',
          signal: options.signal,
          timings: { ...timings, totalMs: performance.now() - startedAt },
        },
        nameOf(options),
      ),
    );
  }

  /** A model that only writes down speech takes no prompts. */
  private checkTask(): void {
    if (this.parts.processor.speech === undefined) return;
    const message =
      'This model writes down speech and answers no prompts: send sounds to /v1/audio/transcriptions.';
    throw new SensoriumError('unsupported_task', message);
  }

  private checkGenerates(): void {
    if (this.task !== 'embed') return;
    const message = 'This model is served for embeddings and answers no prompts: use /v1/embeddings.';
    throw new SensoriumError('unsupported_task', message);
  }

  private async renderChat(messages: readonly ChatMessage[], options: ChatOptions): Promise<RenderedPrompt> {
    const { renderer, processor, tokenizer } = this.parts;
    const rendered = await renderer.render(messages, options, this.guard);
    if (processor.addsSpecialTokens !== true) return rendered;
    return { ...rendered, tokenIds: tokenizer.withSpecialTokens(rendered.tokenIds) };
  }

  private async readPrompt(
    prompt: string | readonly number[],
    media: readonly MediaPart[],
  ): Promise<RenderedPrompt> {
    const tokenIds = typeof prompt === 'string' ? await this.encode(prompt) : [...prompt];
    return { tokenIds, media: orderMedia(tokenIds, media, this.parts.processor.placeholders, 'The prompt') };
  }

  private encode(text: string): Promise<number[]> {
    this.guard.checkText(text);
    const options = { addSpecialTokens: true };
    return this.parts.tokenizer.encodeInSlices(text, options, (count) => this.guard.checkNumTokens(count));
  }

  /** Refuses prompts that are too long before more time is spent on them. Media only add tokens. */
  private readonly guard: PromptGuard = {
    checkText: (text) => this.guard.checkNumTokens(this.parts.tokenizer.minNumTokens(text.length)),
    checkNumTokens: (numTokens) => {
      const { maxModelLen } = this.parts.engine.info;
      if (numTokens > maxModelLen - 1) throw promptTooLong(numTokens, maxModelLen, true);
    },
  };

  /** Hands the expanded prompt to `use`. Its media may be gone after that, but for what the engine was given. */
  private async withPrompt<T>(
    rendered: RenderedPrompt,
    options: MediaOptions & PrepareOptions,
    use: (prepared: Prepared) => T | Promise<T>,
  ): Promise<T> {
    const { processor, resolver, engine, tokenizer } = this.parts;
    const { tokenIds, media } = rendered;
    const { maxModelLen } = engine.info;
    // Media only add tokens: a prompt that is too long already needs no download.
    if (tokenIds.length > maxModelLen - 1) throw promptTooLong(tokenIds.length, maxModelLen);
    const timings: MediaTimings = { fetchMs: 0, preprocessMs: 0 };
    const expand = (items: KeyedItem[]): ExpandedPrompt => processor.expand(tokenIds, items, tokenizer);
    if (media.length === 0) return use({ prompt: expand([]), timings });
    const useItems = async (items: KeyedItem[]): Promise<T> => {
      const prompt = expand(items);
      try {
        return await use({ prompt, timings });
      } finally {
        disposeOfPrompt(prompt, items);
      }
    };
    const { mediaIoKwargs, mmProcessorKwargs, cacheSalt = '', signal } = options;
    const context = { tenant: cacheSalt, signal, timings };
    return resolver.withItems(media, { mediaIoKwargs, mmProcessorKwargs }, context, useItems);
  }
}
