import { setMaxListeners } from 'node:events';
import type {
  OutputDelta,
  RequestResult,
  RunningRequest,
  TokenLogprob,
} from '../../../../lib/engine/types.js';
import { SensoriumError } from '../../../../lib/errors.js';
import type { LLMStats, RequestObservation, SubmitOptions } from '../../../../lib/llm/types.js';
import type { PoolingResult } from '../../../../lib/engine/types.js';
import type { PoolOptions } from '../../../../lib/llm/embedder.js';
import type { ChatMessage, ChatOptions } from '../../../../lib/request/types.js';
import type { ServerLLM } from '../../../../lib/server/types.js';
import type { Transcription, TranscriptionEvent } from '../../../../lib/transcription/types.js';

export interface StubBehaviour {
  /** Pieces of the answer, one token each. */
  tokens?: string[];
  /** What the model calls itself. */
  modelId?: string;
  /** Pause before each token. */
  tokenDelayMs?: number;
  /** The engine fails before this token. */
  failsAtToken?: number;
  /** Submitting fails. */
  submitError?: SensoriumError;
  /** Reading the state of the engine fails. */
  statsError?: SensoriumError;
}

const STATS: Omit<LLMStats, 'mediaCache'> = {
  numRunning: 3,
  numWaiting: 2,
  numBlocks: 8,
  numUsedBlocks: 6,
  prefixQueries: 11,
  prefixHits: 12,
  prefixEvictions: 23,
  encoderQueries: 13,
  encoderHits: 14,
  encoderEvictions: 0,
  encoderCacheBytes: 15,
  kvCacheBytes: 16,
  prefixCacheBytes: 22,
  weightBytes: 17,
  numSteps: 18,
  numPreemptions: 19,
  numPromptTokens: 20,
  numGeneratedTokens: 21,
};

const sleep = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

/** A model that always says the same. It records what it was asked. */
export class StubLLM {
  readonly modelId: string;
  readonly modelIds: string[];
  readonly maxModelLen = 64;
  readonly isa = 'generic';
  readonly tileUnit = 'none';
  readonly dtype = 'float32';
  readonly info = {
    architecture: 'StubForCausalLM',
    family: 'stub',
    vocabSize: 256,
    hiddenSize: 1,
    numLayers: 1,
    maxPositionEmbeddings: 64,
    numParameters: 1,
    weightBytes: 1,
    hasImage: true,
    hasVideo: false,
    hasAudio: false,
  };
  readonly mediaRules = {
    modalities: ['image'] as const,
    limits: { image: 2, video: 0, audio: 0 },
    hasEmbeddings: false,
  };
  readonly chats: { messages: ChatMessage[]; options: ChatOptions & SubmitOptions }[] = [];
  readonly prompts: { prompt: string | number[]; options: SubmitOptions }[] = [];
  readonly requests: StubRequest[] = [];
  readonly pooled: PoolOptions[] = [];
  readonly pooledChats: ChatMessage[][] = [];
  readonly #listeners = new Set<(observation: RequestObservation) => void>();
  isClosed = false;
  task: ServerLLM['task'] = 'generate';

  constructor(readonly behaviour: StubBehaviour = {}) {
    this.modelId = behaviour.modelId ?? 'stub';
    this.modelIds = [this.modelId, 'alias'];
  }

  /** As the server takes it. */
  asServerLLM(): ServerLLM {
    return this;
  }

  get numAborted(): number {
    return this.requests.filter((request) => request.isAborted).length;
  }

  submitChat(messages: ChatMessage[], options: ChatOptions & SubmitOptions): Promise<RunningRequest> {
    this.chats.push({ messages, options });
    return this.#submit(options);
  }

  submitPrompt(prompt: string | number[], _media: unknown, options: SubmitOptions): Promise<RunningRequest> {
    this.prompts.push({ prompt, options });
    return this.#submit(options);
  }

  poolPrompt(prompt: string | number[], _media: unknown, options: PoolOptions): Promise<PoolingResult> {
    return this.#pool(prompt.length, options);
  }

  poolChat(messages: ChatMessage[], options: PoolOptions): Promise<PoolingResult> {
    this.pooledChats.push(messages);
    return this.#pool(messages.length, options);
  }

  /** [length, 0.5]; a prompt of 13 fails. */
  #pool(length: number, options: PoolOptions): Promise<PoolingResult> {
    this.pooled.push(options);
    if (length === 13) {
      return Promise.reject(new SensoriumError('prompt_too_long', 'Too long.', { param: 'prompt' }));
    }
    const embedding = Float32Array.of(length, 0.5);
    return Promise.resolve({ embedding, numPromptTokens: length, numCachedTokens: 1 });
  }

  renderChat(messages: ChatMessage[]): Promise<{ tokenIds: number[] }> {
    return Promise.resolve({ tokenIds: messages.map((_, index) => index) });
  }

  tokenizeInSlices(text: string): Promise<number[]> {
    return Promise.resolve([...Buffer.from(text)]);
  }

  detokenize(tokenIds: number[]): string {
    return Buffer.from(tokenIds).toString();
  }

  readonly canTranscribe: boolean = false;

  transcribe(): Promise<Transcription> {
    return Promise.reject(new Error('not used'));
  }

  // eslint-disable-next-line require-yield
  async *transcribeStream(): AsyncGenerator<TranscriptionEvent, void> {
    await Promise.reject(new Error('not used'));
  }

  stats(): LLMStats {
    if (this.behaviour.statsError !== undefined) throw this.behaviour.statsError;
    const mediaCache = { queries: 5, hits: 4, evictions: 3, sizeBytes: 10 };
    return { ...STATS, mediaCache };
  }

  observe(listener: (observation: RequestObservation) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  close(): Promise<void> {
    this.isClosed = true;
    for (const request of this.requests) request.abort();
    return Promise.resolve();
  }

  async #submit(options: SubmitOptions): Promise<RunningRequest> {
    await sleep(0);
    if (this.behaviour.submitError !== undefined) throw this.behaviour.submitError;
    const request = new StubRequest(options, this.behaviour, (result) => {
      const finishReasons = result.outputs.map(({ finishReason }) => finishReason);
      for (const listener of this.#listeners) listener({ ...result, finishReasons });
    });
    this.requests.push(request);
    return request;
  }
}

class StubRequest implements RunningRequest {
  readonly requestId: string;
  readonly promptTokenIds = [1, 2, 3];
  isAborted = false;
  readonly #deltas: OutputDelta[] = [];
  readonly #result: Promise<RequestResult>;
  #wake: () => void = () => undefined;
  #isDone = false;

  constructor(
    readonly options: SubmitOptions,
    readonly behaviour: StubBehaviour,
    onResult: (result: RequestResult) => void,
  ) {
    this.requestId = options.requestId ?? 'none';
    const { signal } = options;
    // One signal may end any number of requests.
    if (signal !== undefined) setMaxListeners(0, signal);
    signal?.addEventListener('abort', () => this.abort());
    this.#result = this.#run();
    this.#result.then(onResult, () => undefined);
  }

  async *[Symbol.asyncIterator](): AsyncIterator<OutputDelta> {
    for (let next = 0; ; next++) {
      while (next >= this.#deltas.length && !this.#isDone) await new Promise<void>((r) => (this.#wake = r));
      if (next >= this.#deltas.length) break;
      yield this.#deltas[next]!;
    }
    await this.#result;
  }

  result(): Promise<RequestResult> {
    return this.#result;
  }

  abort(): void {
    if (!this.#isDone) this.isAborted = true;
  }

  async #run(): Promise<RequestResult> {
    try {
      return await this.#generate();
    } finally {
      this.#isDone = true;
      this.#wake();
    }
  }

  async #generate(): Promise<RequestResult> {
    const { tokens = ['a ', 'b'], tokenDelayMs = 0, failsAtToken } = this.behaviour;
    const { n = 1, logprobs } = this.options.sampling ?? {};
    for (const [position, text] of tokens.entries()) {
      await sleep(tokenDelayMs);
      if (this.isAborted) throw new SensoriumError('request_cancelled', 'Aborted.');
      if (position === failsAtToken) throw new SensoriumError('engine_unavailable', 'The engine stopped.');
      const isLast = position === tokens.length - 1;
      for (let index = 0; index < n; index++) {
        this.#deltas.push({
          index,
          text,
          tokenIds: [position],
          logprobs: logprobs === undefined ? undefined : [stubLogprob(position, text, logprobs)],
          ...(isLast && { finishReason: 'stop' as const, stopReason: null }),
        });
      }
      this.#wake();
    }
    return this.#toResult(tokens, n, logprobs);
  }

  #toResult(tokens: string[], n: number, logprobs: number | undefined): RequestResult {
    const numTokens = tokens.length * n;
    return {
      requestId: this.requestId,
      promptTokenIds: this.promptTokenIds,
      outputs: Array.from({ length: n }, (_, index) => ({
        index,
        text: tokens.join(''),
        tokenIds: [...tokens.keys()],
        finishReason: 'stop',
        stopReason: null,
        logprobs:
          logprobs === undefined ? undefined : tokens.map((text, i) => stubLogprob(i, text, logprobs)),
      })),
      usage: {
        promptTokens: 3,
        completionTokens: numTokens,
        totalTokens: 3 + numTokens,
        cachedTokens: 1,
        cachedMedia: 0,
        imageTokens: 2,
        videoTokens: 0,
        audioTokens: 0,
      },
      timings: {
        fetchMs: 1,
        preprocessMs: 2,
        queuedMs: 3,
        encodeMs: 4,
        prefillMs: 5,
        decodeMs: 6,
        timeToFirstTokenMs: 7,
        totalMs: 8,
      },
    };
  }
}

function stubLogprob(tokenId: number, token: string, numTop: number): TokenLogprob {
  const entry = { tokenId, token, bytes: [...Buffer.from(token)], logprob: -0.5 };
  return { ...entry, rank: 1, top: Array.from({ length: numTop }, () => entry) };
}
