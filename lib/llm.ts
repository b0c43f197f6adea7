import type { OutputDelta, RequestResult, RunningRequest } from './engine/types.js';
import { SensoriumError } from './errors.js';
import type {
  ChatCallOptions,
  ChatMessageInput,
  CloseOptions,
  GenerateOptions,
  LLMOptions,
  LLMStats,
  MediaRules,
  PromptInput,
  RequestObservation,
  SubmitOptions,
} from './llm/types.js';
import type { MediaOptions, MediaPart } from './media/types.js';
import type { NativeModelInfo } from './native/addon.js';
import type { ChatMessage, ChatOptions } from './request/types.js';

export type * from './llm/types.js';

const unavailable = (): never => {
  throw new SensoriumError('engine_unavailable', 'The engine is not running.');
};

/** A loaded model. Made by `LLM.load`; give it back with `close`. */
export class LLM {
  private constructor(
    readonly modelId: string,
    readonly maxModelLen: number,
    readonly info: NativeModelInfo,
    /** Kernel table in use: generic | avx2 | avx512 | amx. */
    readonly isa: string,
    readonly tileUnit: 'instructions' | 'emulated' | 'none',
    readonly numThreads: number,
    readonly dtype: 'float32' | 'bfloat16',
    /** What media a prompt may hold; the server's request room checks by it. */
    readonly mediaRules: MediaRules,
  ) {}

  static load(_options: LLMOptions = {}): Promise<LLM> {
    return unavailable();
  }

  /** Renders, fetches, preprocesses and queues. Rejects before the first token for everything that is the request's fault. */
  submitChat(_messages: ChatMessage[], _options: ChatOptions & SubmitOptions = {}): Promise<RunningRequest> {
    return unavailable();
  }

  /** A text or token-id prompt with one placeholder per media part. */
  submitPrompt(
    _prompt: string | number[],
    _media: MediaPart[] = [],
    _options: MediaOptions & SubmitOptions = {},
  ): Promise<RunningRequest> {
    return unavailable();
  }

  /** The token ids a chat request would run with, placeholders expanded. */
  renderChat(
    _messages: ChatMessage[],
    _options: ChatOptions & { cacheSalt?: string | undefined; signal?: AbortSignal | undefined } = {},
  ): Promise<{ tokenIds: number[] }> {
    return unavailable();
  }

  tokenize(_text: string, _options: { addSpecialTokens?: boolean | undefined } = {}): number[] {
    return unavailable();
  }

  detokenize(_tokenIds: number[], _options: { skipSpecialTokens?: boolean | undefined } = {}): string {
    return unavailable();
  }

  chat(messages: ChatMessageInput[], options?: ChatCallOptions): Promise<RequestResult>;
  chat(conversations: ChatMessageInput[][], options?: ChatCallOptions): Promise<RequestResult[]>;
  chat(
    _messages: ChatMessageInput[] | ChatMessageInput[][],
    _options: ChatCallOptions = {},
  ): Promise<RequestResult | RequestResult[]> {
    return unavailable();
  }

  chatStream(_messages: ChatMessageInput[], _options: ChatCallOptions = {}): AsyncIterable<OutputDelta> {
    return unavailable();
  }

  generate(prompt: PromptInput, options?: GenerateOptions): Promise<RequestResult>;
  generate(prompts: PromptInput[], options?: GenerateOptions): Promise<RequestResult[]>;
  generate(
    _prompt: PromptInput | PromptInput[],
    _options: GenerateOptions = {},
  ): Promise<RequestResult | RequestResult[]> {
    return unavailable();
  }

  generateStream(_prompt: PromptInput, _options: GenerateOptions = {}): AsyncIterable<OutputDelta> {
    return unavailable();
  }

  stats(): LLMStats {
    return unavailable();
  }

  /** Calls `listener` for every request that ends; returns the way to stop. */
  observe(_listener: (observation: RequestObservation) => void): () => void {
    return unavailable();
  }

  /** Forgets cached prefixes, encoder rows and processed media that no request uses. */
  resetCaches(): void {
    unavailable();
  }

  close(_options: CloseOptions = {}): Promise<void> {
    return unavailable();
  }
}
