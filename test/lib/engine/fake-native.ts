import type {
  NativeAddon,
  NativeEngine,
  NativeEngineOptions,
  NativeEvent,
  NativeFinishReason,
  NativeRequest,
} from '../../../lib/native/addon.js';

/** A native engine whose events the test sends itself. */
export class FakeNativeEngine implements NativeEngine {
  readonly info = {
    architecture: 'Fake',
    family: 'fake',
    vocabSize: 503,
    hiddenSize: 8,
    numLayers: 1,
    maxPositionEmbeddings: 128,
    numParameters: 1,
    weightBytes: 1,
    hasImage: false,
    hasVideo: false,
    hasAudio: false,
  };
  readonly unreadTensors: string[] = [];
  readonly maxModelLen = 128;
  readonly isa = 'generic';
  readonly tileUnit = 'none' as const;
  readonly numThreads = 1;
  readonly requests: NativeRequest[] = [];
  readonly aborted: number[] = [];
  readonly abortedSequences: [requestId: number, index: number][] = [];
  isClosed = false;
  /** Thrown by the next submit. */
  submitError?: Error;

  constructor(private readonly onEvents: (events: NativeEvent[]) => void) {}

  submit(request: NativeRequest): void {
    if (this.submitError !== undefined) throw this.submitError;
    this.requests.push(request);
  }

  abort(requestId: number): void {
    this.aborted.push(requestId);
    const n = this.requests.find((request) => request.id === requestId)?.sampling.n ?? 0;
    queueMicrotask(() => {
      for (let index = 0; index < n; index++) this.finish(requestId, 'aborted', index);
    });
  }

  abortSequence(requestId: number, index: number): void {
    this.abortedSequences.push([requestId, index]);
    queueMicrotask(() => this.finish(requestId, 'aborted', index));
  }

  stats(): ReturnType<NativeEngine['stats']> {
    throw new Error('not used');
  }

  hasEncoded(): boolean {
    return false;
  }

  resetCaches(): void {}

  close(): Promise<void> {
    this.isClosed = true;
    return Promise.resolve();
  }

  send(requestId: number, tokenIds: number[], extra: Partial<NativeEvent> = {}): void {
    this.onEvents([{ requestId, index: 0, tokenIds, numCachedTokens: 0, numCachedMedia: 0, ...extra }]);
  }

  finish(requestId: number, finishReason: NativeFinishReason, index = 0, tokenIds: number[] = []): void {
    const timings = { queuedMs: 1, encodeMs: 2, prefillMs: 3, decodeMs: 4 };
    this.send(requestId, tokenIds, { index, finishReason, timings });
  }
}

const notUsed = (): never => {
  throw new Error('not used');
};

/** An addon that makes FakeNativeEngines and nothing else. */
export class FakeAddon implements NativeAddon {
  readonly version = 'fake';
  readonly options: NativeEngineOptions[] = [];
  engine!: FakeNativeEngine;
  createError?: Error;

  cpuInfo = notUsed;
  supportedArchitectures = notUsed;
  returnFreedMemory = notUsed;
  smartResize = notUsed;
  patchifyImage = notUsed;
  patchifyVideo = notUsed;
  patchifyViews = notUsed;
  planSlices = notUsed;
  logMel = notUsed;
  resample = notUsed;
  soundWindow = notUsed;
  findCompanion = (): string => '';

  createEngine(
    options: NativeEngineOptions,
    onEvents: (events: NativeEvent[]) => void,
  ): Promise<NativeEngine> {
    if (this.createError !== undefined) return Promise.reject(this.createError);
    this.options.push(options);
    this.engine = new FakeNativeEngine(onEvents);
    return Promise.resolve(this.engine);
  }
}
