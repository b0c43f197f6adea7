import type { SensoriumError } from '../errors.js';
import type { NativeEvent } from '../native/addon.js';
import type { Tokenizer } from '../tokenizer/tokenizer.js';
import { DeltaQueue } from './delta-queue.js';
import { errorOfNativeCode } from './native-errors.js';
import { OutputBuilder } from './output-builder.js';
import type { ResolvedSampling } from './sampling.js';
import type { GenerationRequest, OutputDelta, RequestResult, RunningRequest, Timings } from './types.js';

/** What a running request asks of the engine. */
export interface RequestControl {
  abort(): void;
  abortSequence(index: number): void;
}

type NativeTimings = NonNullable<NativeEvent['timings']>;

/** One submitted request: takes the engine's events, gives deltas and the result. */
export class EngineRequest implements RunningRequest {
  readonly requestId: string;
  readonly promptTokenIds: number[];
  private readonly queue = new DeltaQueue();
  private readonly builders: OutputBuilder[];
  /** Continuations whose last event has come. */
  private readonly closed = new Set<number>();
  private readonly resultPromise: Promise<RequestResult>;
  private settle!: { resolve: (result: RequestResult) => void; reject: (error: SensoriumError) => void };
  private readonly startedAt = performance.now();
  private firstTokenAt?: number;
  private nativeTimings?: NativeTimings;
  private numCachedTokens = 0;
  private numCachedMedia = 0;
  private isEnded = false;

  constructor(
    private readonly request: GenerationRequest,
    sampling: ResolvedSampling,
    tokenizer: Tokenizer,
    eosTokenIds: ReadonlySet<number>,
    private readonly control: RequestControl,
  ) {
    this.requestId = request.requestId;
    this.promptTokenIds = Array.from(request.prompt.promptIds);
    this.builders = Array.from(
      { length: sampling.native.n },
      (_, index) => new OutputBuilder(index, tokenizer, sampling, eosTokenIds),
    );
    this.resultPromise = new Promise((resolve, reject) => (this.settle = { resolve, reject }));
    // A failure that nobody awaits is not an unhandled one: the iterator tells it too.
    this.resultPromise.catch(() => undefined);
  }

  result(): Promise<RequestResult> {
    return this.resultPromise;
  }

  abort(): void {
    if (!this.isEnded) this.control.abort();
  }

  [Symbol.asyncIterator](): AsyncIterator<OutputDelta> {
    return {
      next: () => this.queue.next(),
      return: () => {
        this.abort();
        return Promise.resolve({ done: true, value: undefined });
      },
    };
  }

  /** Takes one event of the engine. */
  push(event: NativeEvent): void {
    if (this.isEnded) return;
    if (event.finishReason === 'error') {
      this.control.abort();
      this.fail(errorOfNativeCode(event.errorCode, event.errorMessage ?? ''));
      return;
    }
    this.takeCounts(event);
    const builder = this.builders[event.index];
    if (builder === undefined) return;
    if (!builder.isFinished) this.pushTo(builder, event);
    if (event.finishReason !== undefined) this.closed.add(event.index);
    if (this.closed.size === this.builders.length) this.finish();
  }

  private pushTo(builder: OutputBuilder, event: NativeEvent): void {
    if (event.tokenIds.length > 0) this.firstTokenAt ??= performance.now();
    const { delta, isStoppedHere } = builder.push(event);
    if (isStoppedHere) this.control.abortSequence(event.index);
    this.queue.push(delta);
  }

  private takeCounts(event: NativeEvent): void {
    this.numCachedTokens = Math.max(this.numCachedTokens, event.numCachedTokens);
    this.numCachedMedia = Math.max(this.numCachedMedia, event.numCachedMedia);
    if (event.timings !== undefined) this.nativeTimings = event.timings;
  }

  fail(error: SensoriumError): void {
    if (this.isEnded) return;
    this.isEnded = true;
    this.queue.end(error);
    this.settle.reject(error);
  }

  private finish(): void {
    this.isEnded = true;
    this.queue.end();
    this.settle.resolve({
      requestId: this.requestId,
      promptTokenIds: this.promptTokenIds,
      outputs: this.builders.map((builder) => builder.result()),
      usage: this.usage(),
      timings: this.timings(),
    });
  }

  private usage(): RequestResult['usage'] {
    const promptTokens = this.promptTokenIds.length;
    const completionTokens = this.builders.reduce((sum, builder) => sum + builder.numTokens, 0);
    const { image, video, audio } = this.request.prompt.numTokensByModality;
    return {
      promptTokens,
      completionTokens,
      totalTokens: promptTokens + completionTokens,
      cachedTokens: this.numCachedTokens,
      cachedMedia: this.numCachedMedia,
      imageTokens: image,
      videoTokens: video,
      audioTokens: audio,
    };
  }

  private timings(): Timings {
    const before = { fetchMs: 0, preprocessMs: 0, totalMs: 0, ...this.request.timings };
    const native = this.nativeTimings ?? { queuedMs: 0, encodeMs: 0, prefillMs: 0, decodeMs: 0 };
    const now = performance.now();
    return {
      fetchMs: before.fetchMs,
      preprocessMs: before.preprocessMs,
      queuedMs: native.queuedMs,
      encodeMs: native.encodeMs,
      prefillMs: native.prefillMs,
      decodeMs: native.decodeMs,
      timeToFirstTokenMs: before.totalMs + (this.firstTokenAt ?? now) - this.startedAt,
      totalMs: before.totalMs + now - this.startedAt,
    };
  }
}
