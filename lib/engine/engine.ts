import { SensoriumError } from '../errors.js';
import type {
  NativeAddon,
  NativeEngine,
  NativeEngineOptions,
  NativeEvent,
  NativeRequest,
  NativeStats,
} from '../native/addon.js';
import type { SamplingOptions } from '../request/types.js';
import type { Tokenizer } from '../tokenizer/tokenizer.js';
import type { AlignmentRequest } from './alignment.js';
import { fromNativeError } from './native-errors.js';
import type { PoolingRequest } from './pooling.js';
import type { PoolingResult } from './types.js';
import { EngineRequest } from './running-request.js';
import type { SamplingDefaults } from './sampling-defaults.js';
import {
  checkSampling,
  resolveSampling,
  type ParamName,
  type ResolvedSampling,
  type SamplingLimits,
} from './sampling.js';
import { NO_SAMPLING, SingleResultRequest } from './single-result.js';
import type { GenerationRequest, RunningRequest } from './types.js';

export interface EngineParts {
  tokenizer: Tokenizer;
  samplingDefaults: SamplingDefaults;
  onProgress?: ((doneBytes: number, totalBytes: number) => void) | undefined;
}

/** A request between its submission and its end. */
interface Submitted {
  result(): Promise<unknown>;
  push(event: NativeEvent): void;
  fail(error: SensoriumError): void;
}

/** The native engine with text: submits requests and hands its events to them. */
export class Engine {
  private readonly running = new Map<number, Submitted>();
  private nextId = 1;
  private onIdle: (() => void) | undefined;
  private closing: Promise<void> | undefined;
  private native!: NativeEngine;

  private constructor(
    private readonly parts: EngineParts,
    private readonly eosTokenIds: ReadonlySet<number>,
  ) {}

  /** Loads the weights on a thread of the addon's. Rejects with a SensoriumError. */
  static async create(addon: NativeAddon, options: NativeEngineOptions, parts: EngineParts): Promise<Engine> {
    const engine = new Engine(parts, new Set(options.eosTokenIds));
    try {
      engine.native = await addon.createEngine(
        options,
        (events) => engine.dispatch(events),
        parts.onProgress ?? (() => undefined),
      );
    } catch (error) {
      throw fromNativeError(error, { invalid_argument: 'invalid_option', unavailable: 'isa_unavailable' });
    }
    return engine;
  }

  get info(): NativeEngine {
    return this.native;
  }

  get numRunning(): number {
    return this.running.size;
  }

  private get limits(): SamplingLimits {
    return { vocabSize: this.native.info.vocabSize, maxModelLen: this.native.maxModelLen };
  }

  /** Checks what can be checked before a prompt exists, so that a bad request costs no fetch. */
  checkBeforehand(sampling: SamplingOptions, nameOf?: ParamName): void {
    this.checkOpen();
    checkSampling(sampling, this.limits.vocabSize, nameOf);
  }

  /** Queues a request. Throws a SensoriumError for what is its fault, a full queue or a closing engine. */
  submit(request: GenerationRequest, nameOf?: ParamName): RunningRequest {
    this.checkOpen();
    throwIfAborted(request.signal);
    this.checkPrompt(request.prompt.promptIds);
    const promptLength = request.prompt.promptIds.length;
    const sampling = resolveSampling(
      request.sampling,
      this.parts.samplingDefaults,
      this.limits,
      promptLength,
      nameOf,
    );
    const id = this.nextId++;
    const running = new EngineRequest(request, sampling, this.parts.tokenizer, this.eosTokenIds, {
      abort: () => this.native.abort(id),
      abortSequence: (index) => this.native.abortSequence(id, index),
    });
    this.running.set(id, running);
    try {
      this.native.submit(toNativeRequest(id, request, sampling));
    } catch (error) {
      this.running.delete(id);
      throw fromNativeError(error, { out_of_memory: 'queue_full' });
    }
    this.follow(id, running, request.signal);
    return running;
  }

  /** The hidden state of a prompt's last token. Throws and rejects as `submit`. */
  pool(request: PoolingRequest): Promise<PoolingResult> {
    const { isNormalized, prompt } = request;
    const read = ({ embedding, numCachedTokens }: NativeEvent): PoolingResult | undefined =>
      embedding && { embedding, numPromptTokens: prompt.promptIds.length, numCachedTokens };
    return this.submitForResult(request, { pooling: { isNormalized } }, read);
  }

  /** The first encoder row of each of a prompt's tokens. Throws and rejects as `submit`. */
  align(request: AlignmentRequest): Promise<number[]> {
    return this.submitForResult(request, { alignment: request.alignment }, ({ tokenFrames }) => tokenFrames);
  }

  private submitForResult<Result>(
    request: PoolingRequest | AlignmentRequest,
    wanted: Pick<NativeRequest, 'pooling' | 'alignment'>,
    read: (event: NativeEvent) => Result | undefined,
  ): Promise<Result> {
    this.checkOpen();
    throwIfAborted(request.signal);
    this.checkPrompt(request.prompt.promptIds, 0);
    const id = this.nextId++;
    const running = new SingleResultRequest(read);
    this.running.set(id, running);
    try {
      this.native.submit({ ...toNativeRequest(id, request, { native: NO_SAMPLING }), ...wanted });
    } catch (error) {
      this.running.delete(id);
      throw fromNativeError(error, { out_of_memory: 'queue_full' });
    }
    this.follow(id, running, request.signal);
    return running.result();
  }

  /** Ends with the caller's signal, and forgets the request when it has ended. */
  private follow(id: number, running: Submitted, signal: AbortSignal | undefined): void {
    const onAbort = (): void => {
      this.native.abort(id);
      running.fail(cancelled(signal));
    };
    signal?.addEventListener('abort', onAbort, { once: true });
    const forget = (): void => {
      signal?.removeEventListener('abort', onAbort);
      this.running.delete(id);
      if (this.running.size === 0) this.onIdle?.();
    };
    running.result().then(forget, forget);
  }

  private dispatch(events: NativeEvent[]): void {
    for (const event of events) this.running.get(event.requestId)?.push(event);
  }

  private checkOpen(): void {
    if (this.closing !== undefined) throw new SensoriumError('shutting_down', 'The engine is shutting down.');
  }

  /** `numAnswerTokens`: the fewest that must have room behind the prompt. */
  private checkPrompt(promptIds: Int32Array, numAnswerTokens = 1): void {
    const { maxModelLen, vocabSize } = this.limits;
    if (promptIds.length === 0) throw new SensoriumError('prompt_empty', 'The prompt has no tokens.');
    if (promptIds.length > maxModelLen - numAnswerTokens) throw promptTooLong(promptIds.length, maxModelLen);
    const wrong = promptIds.findIndex((id) => id < 0 || id >= vocabSize);
    if (wrong < 0) return;
    const message = `Token ${promptIds[wrong]} at position ${wrong} of the prompt is outside the vocabulary of ${vocabSize}.`;
    throw new SensoriumError('invalid_value', message, { param: 'prompt' });
  }

  /** This and the two below throw `engine_unavailable` once the engine is closed. */
  stats(): NativeStats {
    return guarded(() => this.native.stats());
  }

  resetCaches(): void {
    guarded(() => this.native.resetCaches());
  }

  hasEncoded(key: string): boolean {
    return guarded(() => this.native.hasEncoded(key));
  }

  /** Refuses new requests, gives running ones `graceMs` to end, aborts the rest and frees the native engine. */
  close(graceMs: number): Promise<void> {
    this.closing ??= this.closeOnce(graceMs);
    return this.closing;
  }

  private async closeOnce(graceMs: number): Promise<void> {
    if (this.running.size > 0 && graceMs > 0) await this.waitUntilIdle(graceMs);
    for (const [id, running] of this.running) {
      this.native.abort(id);
      running.fail(
        new SensoriumError('shutting_down', 'The engine was shut down before the answer was complete.'),
      );
    }
    await this.native.close();
  }

  private waitUntilIdle(graceMs: number): Promise<void> {
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, graceMs);
      this.onIdle = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }
}

function guarded<T>(call: () => T): T {
  try {
    return call();
  } catch (error) {
    throw fromNativeError(error);
  }
}

/** `isPartial`: counting ended before the prompt did. */
export function promptTooLong(numTokens: number, maxModelLen: number, isPartial = false): SensoriumError {
  const message =
    `The prompt has ${isPartial ? 'at least ' : ''}${numTokens} tokens; this model takes at most ${maxModelLen - 1} and needs room for one more. ` +
    'Media count with the tokens they become.';
  return new SensoriumError('prompt_too_long', message, { param: 'prompt' });
}

function cancelled(signal: AbortSignal | undefined): SensoriumError {
  const reason: unknown = signal?.reason;
  if (reason instanceof SensoriumError) return reason;
  if (reason instanceof Error && reason.name === 'TimeoutError') {
    return new SensoriumError('request_timeout', 'The request took too long.', { cause: reason });
  }
  return new SensoriumError('request_cancelled', 'The request was cancelled.', { cause: reason });
}

/** Throws `request_cancelled` (or `request_timeout`) when the signal has fired. */
export function throwIfAborted(signal: AbortSignal | undefined): void {
  if (signal?.aborted === true) throw cancelled(signal);
}

function toNativeRequest(
  id: number,
  request: Pick<GenerationRequest, 'prompt' | 'cacheSalt' | 'constraints'>,
  sampling: Pick<ResolvedSampling, 'native'>,
): NativeRequest {
  return {
    id,
    promptIds: request.prompt.promptIds,
    media: request.prompt.media.map(({ item, runs, isInterleavedWithAudio }) => ({
      key: item.key,
      media: item.media,
      runs,
      isInterleavedWithAudio,
    })),
    sampling: { ...sampling.native, ...request.constraints },
    cacheSalt: request.cacheSalt,
  };
}
