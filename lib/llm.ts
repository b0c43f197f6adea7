import { parseMessages } from './chat/parts.js';
import { throwIfAborted } from './engine/engine.js';
import type { PoolingResult } from './engine/types.js';
import type { OutputDelta, RequestResult, RunningRequest } from './engine/types.js';
import { SensoriumError, toSensoriumError } from './errors.js';
import { optionsOfEntries, runBatch } from './llm/batch.js';
import { checkCallOptions, checkEmbedOptions, splitOptions } from './llm/call-options.js';
import type { PoolOptions } from './llm/embedder.js';
import { mergeMediaOptions } from './llm/kwargs-names.js';
import { loadModel, type LoadedModel } from './llm/load-model.js';
import { withCamelParam } from './llm/option-names.js';
import { isTokenIds, parsePrompt } from './llm/prompt-input.js';
import type { Task } from './llm/runner.js';
import { transcribe, transcribeStream, type SpeechParts } from './llm/speech.js';
import type {
  AudioInput,
  ChatCallOptions,
  ChatMessageInput,
  CloseOptions,
  EmbeddingResult,
  EmbedOptions,
  GenerateOptions,
  LLMOptions,
  LLMStats,
  MediaRules,
  PromptInput,
  RequestObservation,
  SubmitOptions,
  TranscribeOptions,
} from './llm/types.js';
import type { MediaOptions, MediaPart } from './media/types.js';
import type { NativeAddon, NativeModelInfo } from './native/addon.js';
import { loadAddon } from './native/load.js';
import type { ChatMessage, ChatOptions } from './request/types.js';
import type { Transcription, TranscriptionEvent } from './transcription/types.js';
import type { Submit } from './transcription/window-decoder.js';
import type { Align } from './transcription/word-aligner.js';

export type * from './llm/types.js';
export type * from './transcription/types.js';

type Observer = (observation: RequestObservation) => void;

/** A loaded model. Made by `LLM.load`; give it back with `close`. */
export class LLM {
  readonly modelId: string;
  /** Every name that clients may send; the first is `modelId`. */
  readonly modelIds: readonly string[];
  /** Prompt and answer together, in tokens. */
  readonly maxModelLen: number;
  readonly info: NativeModelInfo;
  /** Kernel table in use: generic | avx2 | avx512 | amx. */
  readonly isa: string;
  readonly tileUnit: 'instructions' | 'emulated' | 'none';
  readonly numThreads: number;
  readonly dtype: 'float32' | 'bfloat16';
  /** What media a prompt may hold: counted before anything is fetched. */
  readonly mediaRules: MediaRules;
  /** What it is served for. */
  readonly task: Task;
  private readonly observers = new Set<Observer>();
  /** Requests between their arrival and the engine. */
  private readonly preparing = new Set<Promise<unknown>>();
  private closing: Promise<void> | undefined;

  private constructor(
    private readonly model: LoadedModel,
    private readonly maxInFlight: number,
  ) {
    const native = model.engine.info;
    this.modelId = model.modelId;
    this.modelIds = model.modelIds;
    this.maxModelLen = native.maxModelLen;
    this.info = native.info;
    this.isa = native.isa;
    this.tileUnit = native.tileUnit;
    this.numThreads = native.numThreads;
    this.dtype = model.dtype;
    this.mediaRules = model.mediaRules;
    this.task = model.task;
  }

  /** Loads a checkpoint. Rejects with a SensoriumError that says what is wrong with it, or with an option. */
  static async load(options: LLMOptions = {}): Promise<LLM> {
    return LLM.loadWith(loadAddon(), options);
  }

  /** `load` over a given native core. */
  static async loadWith(addon: NativeAddon, options: LLMOptions = {}): Promise<LLM> {
    const model = await loadModel(options, addon);
    return new LLM(model, 2 * (options.maxNumSeqs ?? 16));
  }

  /** Renders, fetches, preprocesses and queues. Rejects before the first token for everything that is the request's fault. */
  submitChat(messages: ChatMessage[], options: ChatOptions & SubmitOptions = {}): Promise<RunningRequest> {
    return this.begin(() => this.watch(options, this.model.pipeline.submitChat(messages, options)));
  }

  /** A text or token-id prompt with one placeholder per media part. */
  submitPrompt(
    prompt: string | number[],
    media: MediaPart[] = [],
    options: MediaOptions & SubmitOptions = {},
  ): Promise<RunningRequest> {
    return this.begin(() => this.watch(options, this.model.pipeline.submitPrompt(prompt, media, options)));
  }

  /** The token ids a chat request would run with, placeholders expanded. */
  async renderChat(
    messages: ChatMessage[],
    options: ChatOptions & { cacheSalt?: string | undefined; signal?: AbortSignal | undefined } = {},
  ): Promise<{ tokenIds: number[] }> {
    return { tokenIds: Array.from(await this.model.pipeline.expandChat(messages, options)) };
  }

  /** Ids of a text; control tokens that it spells are recognised. */
  tokenize(text: string, options: { addSpecialTokens?: boolean | undefined } = {}): number[] {
    return this.model.tokenizer.encode(text, { addSpecialTokens: options.addSpecialTokens ?? true });
  }

  /** As `tokenize`, in slices between which the event loop runs: for texts of unknown length. */
  tokenizeInSlices(
    text: string,
    options: { addSpecialTokens?: boolean | undefined } = {},
  ): Promise<number[]> {
    return this.model.tokenizer.encodeInSlices(text, { addSpecialTokens: options.addSpecialTokens ?? true });
  }

  detokenize(tokenIds: number[], options: { skipSpecialTokens?: boolean | undefined } = {}): string {
    return this.model.tokenizer.decode(tokenIds, options);
  }

  /** Answers a conversation, or each of a list of conversations, with options for all of them or a list with one for each. */
  chat(messages: ChatMessageInput[], options?: ChatCallOptions): Promise<RequestResult>;
  chat(
    conversations: ChatMessageInput[][],
    options?: ChatCallOptions | ChatCallOptions[],
  ): Promise<RequestResult[]>;
  async chat(
    messages: ChatMessageInput[] | ChatMessageInput[][],
    options: ChatCallOptions | ChatCallOptions[] = {},
  ): Promise<RequestResult | RequestResult[]> {
    if (isBatchOfChats(messages)) {
      return this.runAll(messages, options, (chat, own) => this.startChat(chat, own));
    }
    checkCallOptions(options);
    return (await this.startChat(messages, options)).result();
  }

  /** The answer as it comes. Leaving the loop aborts the request. */
  async *chatStream(
    messages: ChatMessageInput[],
    options: ChatCallOptions = {},
  ): AsyncGenerator<OutputDelta, void> {
    yield* await this.startChat(messages, options);
  }

  /**
   * Continues a prompt, or each of a list of prompts, with options for all of them or a list with one for each. A list of
   * numbers is one prompt of token ids.
   */
  generate(prompt: PromptInput, options?: GenerateOptions): Promise<RequestResult>;
  generate(prompts: PromptInput[], options?: GenerateOptions | GenerateOptions[]): Promise<RequestResult[]>;
  async generate(
    prompt: PromptInput | PromptInput[],
    options: GenerateOptions | GenerateOptions[] = {},
  ): Promise<RequestResult | RequestResult[]> {
    if (isBatchOfPrompts(prompt)) {
      return this.runAll(prompt, options, (input, own) => this.startGenerate(input, own));
    }
    checkCallOptions(options);
    return (await this.startGenerate(prompt, options)).result();
  }

  /**
   * The embedding of a prompt, or of each of a list of prompts: the hidden state of its last token, of length 1 unless
   * `normalize` is false. A list of numbers is one prompt of token ids.
   */
  embed(prompt: PromptInput, options?: EmbedOptions): Promise<EmbeddingResult>;
  embed(prompts: PromptInput[], options?: EmbedOptions): Promise<EmbeddingResult[]>;
  async embed(
    prompt: PromptInput | PromptInput[],
    options: EmbedOptions = {},
  ): Promise<EmbeddingResult | EmbeddingResult[]> {
    checkEmbedOptions(options);
    const one = (input: PromptInput, signal = options.signal): Promise<EmbeddingResult> =>
      this.begin(() => this.model.embedder.embed(input, { ...options, signal }));
    if (!isBatchOfPrompts(prompt)) return one(prompt);
    return runBatch(prompt, one, { maxInFlight: this.maxInFlight, signal: options.signal });
  }

  /** As `embed`, of a conversation that the chat template renders. */
  embedChat(messages: ChatMessageInput[], options: EmbedOptions = {}): Promise<EmbeddingResult> {
    return this.begin(() => this.model.embedder.embedChat(messages, options));
  }

  /** As `embed`, with the hidden state as it is: not brought to length 1 unless `normalize` is true. */
  encode(prompt: PromptInput, options?: EmbedOptions): Promise<EmbeddingResult>;
  encode(prompts: PromptInput[], options?: EmbedOptions): Promise<EmbeddingResult[]>;
  encode(
    prompt: PromptInput | PromptInput[],
    options: EmbedOptions = {},
  ): Promise<EmbeddingResult | EmbeddingResult[]> {
    return this.embed(prompt as PromptInput, { ...options, normalize: options.normalize ?? false });
  }

  /** The embedding of a prompt whose options are checked. */
  poolPrompt(prompt: string | number[], media: MediaPart[], options: PoolOptions): Promise<PoolingResult> {
    return this.begin(() => this.model.embedder.poolPrompt(prompt, media, options));
  }

  /** The embedding of a conversation that is checked. */
  poolChat(messages: ChatMessage[], options: PoolOptions): Promise<PoolingResult> {
    return this.begin(() => this.model.embedder.poolChat(messages, options));
  }

  /** The continuation as it comes. Leaving the loop aborts the request. */
  async *generateStream(
    prompt: PromptInput,
    options: GenerateOptions = {},
  ): AsyncGenerator<OutputDelta, void> {
    yield* await this.startGenerate(prompt, options);
  }

  /** Whether this model writes down speech: then it does nothing else. */
  get canTranscribe(): boolean {
    return this.model.transcriber !== undefined;
  }

  /** Writes down the speech in a sound. Rejects with `unsupported_task` for models that do not. */
  transcribe(audio: AudioInput, options: TranscribeOptions = {}): Promise<Transcription> {
    return this.begin(async () => transcribe(this.speechParts(), audio, options));
  }

  /** What is written down as it becomes certain, then the whole. Leaving the loop ends it. */
  async *transcribeStream(
    audio: AudioInput,
    options: TranscribeOptions = {},
  ): AsyncGenerator<TranscriptionEvent, void> {
    const run = (given: TranscribeOptions, onText: (text: string) => void): Promise<Transcription> =>
      this.begin(async () => transcribe(this.speechParts(), audio, given, onText));
    yield* transcribeStream(run, options);
  }

  private speechParts(): SpeechParts {
    const { transcriber, processor, resolver, engine } = this.model;
    if (transcriber === undefined || processor.speech === undefined) {
      throw new SensoriumError('unsupported_task', `The model '${this.modelId}' does not write down speech.`);
    }
    const submit: Submit = (request) =>
      this.watch(
        { requestId: request.requestId },
        Promise.resolve().then(() => engine.submit(request)),
      );
    const align: Align = (request) => engine.align(request);
    return { transcriber, speech: processor.speech, resolver, submit, align };
  }

  private startChat(messages: ChatMessageInput[], options: ChatCallOptions): Promise<RunningRequest> {
    return this.beginCall(async () => {
      const split = splitOptions(options);
      throwIfAborted(options.signal);
      const parsed = parseMessages(messages, { rules: this.mediaRules, isStrict: false });
      return this.watch(split, this.model.pipeline.submitChat(parsed.messages, split));
    });
  }

  private startGenerate(input: PromptInput, options: GenerateOptions): Promise<RunningRequest> {
    return this.beginCall(async () => {
      const split = splitOptions(options);
      throwIfAborted(options.signal);
      const {
        prompt,
        media,
        mediaOptions,
        cacheSalt = split.cacheSalt,
      } = parsePrompt(input, this.mediaRules);
      const submitted = { ...split, ...mergeMediaOptions(split, mediaOptions), cacheSalt };
      return this.watch(submitted, this.model.pipeline.submitPrompt(prompt, media, submitted));
    });
  }

  /** A batch, with options for all of it or for each entry. */
  private runAll<Input, Options extends GenerateOptions>(
    inputs: readonly Input[],
    options: Options | Options[],
    start: (input: Input, options: Options) => Promise<RunningRequest>,
  ): Promise<RequestResult[]> {
    const optionsAt = optionsOfEntries(options, inputs.length);
    const { signal, onProgress } = Array.isArray(options) ? {} : options;
    const run = async (input: Input, entrySignal: AbortSignal, i: number): Promise<RequestResult> =>
      (await start(input, optionsAt(i, entrySignal))).result();
    return runBatch(inputs, run, {
      maxInFlight: this.maxInFlight,
      signal,
      onProgress,
    });
  }

  /** `begin` for the in-process calls: errors name options as these do. */
  private async beginCall<T>(work: () => Promise<T>): Promise<T> {
    try {
      return await this.begin(work);
    } catch (error) {
      throw withCamelParam(error);
    }
  }

  /** Refuses new work when closing; work that began before is waited for. */
  private async begin<T>(work: () => Promise<T>): Promise<T> {
    if (this.closing !== undefined) throw new SensoriumError('shutting_down', 'The model is being closed.');
    const promise = work();
    this.preparing.add(promise);
    try {
      return await promise;
    } finally {
      this.preparing.delete(promise);
    }
  }

  /** Tells observers how a request ends. */
  private async watch(options: SubmitOptions, submission: Promise<RunningRequest>): Promise<RunningRequest> {
    const fail = (error: unknown, requestId: string): void =>
      this.notify({ requestId, errorCode: toSensoriumError(error).code });
    try {
      const running = await submission;
      running.result().then(
        ({ requestId, outputs, usage, timings }) =>
          this.notify({
            requestId,
            finishReasons: outputs.map((output) => output.finishReason),
            usage,
            timings,
          }),
        (error: unknown) => fail(error, running.requestId),
      );
      return running;
    } catch (error) {
      fail(error, options.requestId ?? '');
      throw error;
    }
  }

  private notify(observation: RequestObservation): void {
    for (const observer of this.observers) observer(observation);
  }

  /** Calls `listener` for every request that ends; returns the way to stop. */
  observe(listener: Observer): () => void {
    this.observers.add(listener);
    return () => this.observers.delete(listener);
  }

  stats(): LLMStats {
    const { queries, hits, evictions, bytes } = this.model.mediaCache.stats();
    return { ...this.model.engine.stats(), mediaCache: { queries, hits, evictions, sizeBytes: bytes } };
  }

  /** Forgets cached prefixes, encoder rows and processed media that no request uses. */
  resetCaches(): void {
    this.model.mediaCache.clear();
    this.model.engine.resetCaches();
  }

  /** Refuses new requests, lets running ones finish for `graceMs`, aborts the rest and gives all memory back. */
  close(options: CloseOptions = {}): Promise<void> {
    this.closing ??= this.closeOnce(options.graceMs ?? 0);
    return this.closing;
  }

  private async closeOnce(graceMs: number): Promise<void> {
    const deadline = performance.now() + graceMs;
    if (graceMs > 0) await settledWithin([...this.preparing], graceMs);
    await this.model.engine.close(Math.max(0, deadline - performance.now()));
    this.model.renderer.close();
    await this.model.resolver.close();
    this.model.mediaCache.clear();
  }
}

async function settledWithin(promises: Promise<unknown>[], timeoutMs: number): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const timeout = new Promise<void>((resolve) => (timer = setTimeout(resolve, timeoutMs)));
  await Promise.race([Promise.allSettled(promises), timeout]);
  clearTimeout(timer);
}

const isBatchOfChats = (
  messages: ChatMessageInput[] | ChatMessageInput[][],
): messages is ChatMessageInput[][] => Array.isArray(messages) && Array.isArray(messages[0]);

const isBatchOfPrompts = (prompt: PromptInput | PromptInput[]): prompt is PromptInput[] =>
  Array.isArray(prompt) && (prompt.length === 0 || !isTokenIds(prompt));
