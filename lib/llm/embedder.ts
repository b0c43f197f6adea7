import { parseMessages } from '../chat/parts.js';
import { throwIfAborted } from '../engine/engine.js';
import type { PoolingResult } from '../engine/types.js';
import type { MediaPart } from '../media/types.js';
import type { ChatMessage, ChatOptions } from '../request/types.js';
import { checkEmbedOptions } from './call-options.js';
import { checkEmbeddingSize, shortenEmbedding, type EmbeddingSizes } from './embedding-size.js';
import { mergeMediaOptions } from './kwargs-names.js';
import type { RequestPipeline } from './pipeline.js';
import { parsePrompt } from './prompt-input.js';
import type { ChatMessageInput, EmbedOptions, EmbeddingResult, MediaRules, PromptInput } from './types.js';

/** Options of one embedding, checked. */
export interface PoolOptions extends Omit<ChatOptions, 'tools'> {
  isNormalized: boolean;
  dimensions?: number | undefined;
  cacheSalt?: string | undefined;
  signal?: AbortSignal | undefined;
}

/** Turns prompts and conversations into embeddings: the hidden state of their last token. */
export class Embedder {
  constructor(
    private readonly pipeline: RequestPipeline,
    private readonly rules: MediaRules,
    private readonly sizes: EmbeddingSizes,
  ) {}

  async poolPrompt(
    prompt: string | number[],
    media: readonly MediaPart[],
    options: PoolOptions,
  ): Promise<PoolingResult> {
    checkEmbeddingSize(options.dimensions, this.sizes);
    return shorten(await this.pipeline.embedPrompt(prompt, media, options), options);
  }

  async poolChat(messages: readonly ChatMessage[], options: PoolOptions): Promise<PoolingResult> {
    checkEmbeddingSize(options.dimensions, this.sizes);
    return shorten(await this.pipeline.embedChat(messages, options), options);
  }

  async embed(input: PromptInput, options: EmbedOptions): Promise<EmbeddingResult> {
    const own = toPoolOptions(options);
    const { prompt, media, mediaOptions, cacheSalt = own.cacheSalt } = parsePrompt(input, this.rules);
    const merged = { ...own, ...mergeMediaOptions(own, mediaOptions), cacheSalt };
    return toResult(await this.poolPrompt(prompt, media, merged));
  }

  async embedChat(messages: ChatMessageInput[], options: EmbedOptions): Promise<EmbeddingResult> {
    const own = toPoolOptions(options);
    const parsed = parseMessages(messages, { rules: this.rules, isStrict: false });
    return toResult(await this.poolChat(parsed.messages, { addGenerationPrompt: false, ...own }));
  }
}

function toPoolOptions(options: EmbedOptions): PoolOptions {
  checkEmbedOptions(options);
  throwIfAborted(options.signal);
  const { normalize = true, ...own } = options;
  return { ...own, ...mergeMediaOptions(own, {}), isNormalized: normalize };
}

const shorten = (result: PoolingResult, { dimensions, isNormalized }: PoolOptions): PoolingResult => ({
  ...result,
  embedding: shortenEmbedding(result.embedding, dimensions, isNormalized),
});

const toResult = ({ embedding, numPromptTokens, numCachedTokens }: PoolingResult): EmbeddingResult => ({
  embedding,
  usage: { promptTokens: numPromptTokens, cachedTokens: numCachedTokens },
});
