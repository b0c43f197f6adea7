/** The typed shape of the native addon: `native/binding` implements exactly this. */

export type NativeErrorCode =
  | 'invalid_argument'
  | 'invalid_checkpoint'
  | 'unsupported_architecture'
  | 'invalid_media'
  | 'out_of_memory'
  | 'unavailable'
  | 'internal';

/** What the addon rejects or throws: an Error whose `code` is one of these. JS turns it into a SensoriumError. */
export interface NativeError extends Error {
  code: NativeErrorCode;
}

export interface CpuInfo {
  vendor: string;
  brand: string;
  features: string[];
  numPhysicalCores: number;
  /** Tables this machine can run, worst first. */
  isas: string[];
}

/**
 * Opaque, immutable, reference-counted encoder input (patches or log-mel) that never leaves native memory. Every use of one that
 * was disposed of throws `invalid_argument`.
 */
export interface NativeMedia {
  readonly modality: 'image' | 'video' | 'audio';
  /** Held bytes: pictures as 8-bit patches, sounds as float32. */
  readonly sizeBytes: number;
  /** Image and video: [t, h, w] in patches. Audio: [0, 0, 0]. */
  readonly grid: [number, number, number];
  /** Rows of features: patches, or mel frames. */
  readonly numRows: number;
  /** A picture that was cut into tiles: how they lie, and the cells that the encoder makes of them where that is not fixed. */
  readonly tiles: { rows: number; columns: number; packedHeight: number; packedWidth: number } | null;
  /** Copy of the features as floats, row-major (tests). */
  features(): Float32Array;
  /**
   * Gives the memory back. The garbage collector does not know its size, so every owner must. Requests that were submitted keep
   * theirs.
   */
  dispose(): void;
}

export interface NativePatchOptions {
  patchSize: number;
  temporalPatchSize: number;
  mergeSize: number;
  mean: [number, number, number];
  std: [number, number, number];
  filter: 'bilinear' | 'bicubic' | 'lanczos';
  doResize: boolean;
  doRescale: boolean;
  doNormalize: boolean;
  rescaleFactor: number;
  /** Size to resize to. */
  width: number;
  height: number;
}

/** What is cut of a picture, or of each frame of a clip. */
export type NativeViewRules =
  /** One view: resized to `width` x `height`, or its shorter side to `shortestEdge`; then the middle is kept. */
  | {
      kind: 'clip';
      width: number;
      height: number;
      shortestEdge?: number | undefined;
      cropWidth?: number | undefined;
      cropHeight?: number | undefined;
      /** First of all the picture is centred on a square of this colour. */
      squareBackground?: [number, number, number] | undefined;
    }
  /** LLaVA-OneVision: an overview, then tiles of the best of `pinpoints` ([height, width]). */
  | { kind: 'anyres'; tile: number; pinpoints: [number, number][]; maxTiles: number }
  /** Phi-3.5-vision: an overview, then at most `numCrops` tiles. */
  | { kind: 'hd'; tile: number; numCrops: number }
  /** MiniCPM-V: the whole picture, then at most `maxSlices` slices. */
  | { kind: 'slices'; maxSlices: number; scaleResolution: number };

export interface NativeSampling {
  temperature: number;
  topP: number;
  topK: number;
  minP: number;
  repetitionPenalty: number;
  presencePenalty: number;
  frequencyPenalty: number;
  /** Token ids and biases, flattened pairs. */
  logitBias: [number, number][];
  seed?: bigint | undefined;
  maxTokens: number;
  minTokens: number;
  ignoreEos: boolean;
  stopTokenIds: number[];
  numLogprobs?: number | undefined;
  n: number;
  /** Only these are chosen; log-probabilities stay those of all tokens. */
  allowedIds?: number[] | undefined;
  rules?: NativeDecodingRules | undefined;
}

/** What an answer may consist of (Whisper): tokens that are never chosen, or not as the first, and the order of timestamps. */
export interface NativeDecodingRules {
  beginSuppressedIds?: number[] | undefined;
  suppressedIds?: number[] | undefined;
  /** Timestamps are the ids above `noTimestampsId`. */
  timestamps?:
    | {
        noTimestampsId: number;
        eosId: number;
        /** The first timestamp is at most this many steps after the beginning. */
        maxInitialIndex?: number | undefined;
      }
    | undefined;
}

export interface NativeMediaItem {
  key: string;
  media: NativeMedia;
  /** [offset, count] pairs in the prompt; none for a model whose decoder attends to what it hears. */
  runs: [number, number][];
  isInterleavedWithAudio: boolean;
}

export interface NativeRequest {
  id: number;
  promptIds: Int32Array;
  media: NativeMediaItem[];
  sampling: NativeSampling;
  cacheSalt: string;
  /** Asks for the hidden state of the prompt's last token instead of an answer. */
  pooling?: { isNormalized: boolean } | undefined;
  /** Asks where tokens of the prompt lie in what the model's decoder attends to. */
  alignment?: NativeAlignment | undefined;
}

export interface NativeAlignment {
  /** [layer, head] of the cross-attention that follows the sound. */
  heads: [number, number][];
  /** Odd: of the median filter along the encoder's rows. */
  filterWidth: number;
  /** Prompt tokens [firstToken, firstToken + numTokens) are found. */
  firstToken: number;
  numTokens: number;
  /** Leading encoder rows that they can lie in. */
  numFrames: number;
}

export interface NativeLogprob {
  tokenId: number;
  logprob: number;
  rank: number;
  top: [number, number][];
}

export type NativeFinishReason = 'stop' | 'length' | 'aborted' | 'error';

export interface NativeEvent {
  requestId: number;
  index: number;
  tokenIds: number[];
  logprobs?: NativeLogprob[];
  finishReason?: NativeFinishReason;
  stopTokenId?: number;
  /** Of a pooled request, with finishReason "stop". */
  embedding?: Float32Array;
  /** Of an aligned request, with finishReason "stop": the first encoder row of each token. */
  tokenFrames?: number[];
  errorMessage?: string;
  errorCode?: NativeErrorCode;
  numCachedTokens: number;
  numCachedMedia: number;
  timings?: { queuedMs: number; encodeMs: number; prefillMs: number; decodeMs: number };
}

export interface NativeModelInfo {
  architecture: string;
  family: string;
  vocabSize: number;
  hiddenSize: number;
  numLayers: number;
  maxPositionEmbeddings: number;
  numParameters: number;
  weightBytes: number;
  hasImage: boolean;
  hasVideo: boolean;
  hasAudio: boolean;
}

export interface NativeEngineOptions {
  model: string;
  dtype: 'float32' | 'bfloat16';
  /** generic | avx2 | avx512 | amx; absent: SENSORIUM_CPU_ISA or the best. */
  isa?: string | undefined;
  numThreads?: number | undefined;
  maxNumSeqs: number;
  maxNumBatchedTokens: number;
  /** 0: the model's own maximum. */
  maxModelLen: number;
  blockSize: number;
  /** Absent: what maxNumSeqs full contexts need, at most a quarter of the memory. */
  kvCacheBytes?: number | undefined;
  encoderCacheBytes: number;
  enablePrefixCaching: boolean;
  eosTokenIds: number[];
  maxQueued: number;
}

export interface NativeStats {
  numRunning: number;
  numWaiting: number;
  numBlocks: number;
  numUsedBlocks: number;
  prefixQueries: number;
  prefixHits: number;
  prefixEvictions: number;
  encoderQueries: number;
  encoderHits: number;
  encoderEvictions: number;
  encoderCacheBytes: number;
  kvCacheBytes: number;
  /** Of the KV cache: blocks whose content can be found again, in use or not. */
  prefixCacheBytes: number;
  weightBytes: number;
  numSteps: number;
  numPreemptions: number;
  numPromptTokens: number;
  numGeneratedTokens: number;
}

export interface NativeEngine {
  readonly info: NativeModelInfo;
  /** Tensors of the checkpoint that its config does not ask for. */
  readonly unreadTensors: string[];
  readonly maxModelLen: number;
  /** Table in use and how its tile unit is made: "instructions", "emulated" or "none". */
  readonly isa: string;
  readonly tileUnit: 'instructions' | 'emulated' | 'none';
  readonly numThreads: number;
  submit(request: NativeRequest): void;
  abort(requestId: number): void;
  abortSequence(requestId: number, index: number): void;
  stats(): NativeStats;
  hasEncoded(key: string): boolean;
  resetCaches(): void;
  /** Stops the engine thread; resolves when it has ended and memory is given back. */
  close(): Promise<void>;
}

/**
 * Pixels and samples are read on worker threads where they lie: they must not be changed or transferred until the promise
 * settles. Arguments of a wrong type or range throw `invalid_argument` at once.
 */
export interface NativeAddon {
  version: string;
  cpuInfo(): CpuInfo;
  supportedArchitectures(): string[];
  /** Makes the C allocator of this process give large freed blocks back to the system at once (glibc only). */
  returnFreedMemory(): void;
  /**
   * Lets the threads of libuv's pool, where media are decoded and preprocessed, give way to all others of this machine
   * (Linux; elsewhere nothing changes). For the rest of the process; resolves when all threads have.
   */
  lowerWorkerPriority(): Promise<void>;
  /**
   * Frees the memory of an array that nobody may use any more; it is empty from then on. Arrays that share their memory stay.
   * What waits for the garbage collector makes it run many times a second.
   */
  release(bytes: Uint8Array): void;
  /** Loads on a thread of its own. `onEvents` is called once a step; `onProgress` while weights are read. */
  createEngine(
    options: NativeEngineOptions,
    onEvents: (events: NativeEvent[]) => void,
    onProgress: (doneBytes: number, totalBytes: number) => void,
  ): Promise<NativeEngine>;
  smartResize(
    height: number,
    width: number,
    factor: number,
    minPixels: number,
    maxPixels: number,
  ): { height: number; width: number };
  /** `pixels`: interleaved RGB, [height, width, 3]. Runs on a worker thread. */
  patchifyImage(
    pixels: Uint8Array,
    width: number,
    height: number,
    options: NativePatchOptions,
  ): Promise<NativeMedia>;
  /** `frames`: each interleaved RGB of the same size. */
  patchifyVideo(
    frames: Uint8Array[],
    width: number,
    height: number,
    secondsPerGrid: number,
    options: NativePatchOptions,
  ): Promise<NativeMedia>;
  /**
   * Views of pictures of one size as rows of patches, [3, patch, patch] each, view by view and tile by tile. Of `options`
   * patchSize, filter, rescaling and normalising count.
   */
  patchifyViews(
    frames: Uint8Array[],
    width: number,
    height: number,
    modality: 'image' | 'video',
    rules: NativeViewRules,
    options: Omit<NativePatchOptions, 'width' | 'height'>,
  ): Promise<NativeMedia>;
  /** Slices that patchifyViews would cut of a picture; 0 rows: none. */
  planSlices(
    width: number,
    height: number,
    rules: { maxSlices: number; scaleResolution: number },
    patchSize: number,
  ): { rows: number; columns: number };
  /** Interleaved RGB resized as `patchifyVideo` does it, to the level. */
  resizeRgb(
    pixels: Uint8Array,
    width: number,
    height: number,
    options: Pick<NativePatchOptions, 'width' | 'height' | 'filter'>,
  ): Promise<Uint8Array>;
  /** Mono samples at 16 kHz. */
  logMel(
    samples: Float32Array,
    options: {
      numMelBins: number;
      isPaddedWithSilence: boolean;
      /** With silence: the padded length; all its frames are returned, silent ones too (Whisper's 30 s: 480000). */
      paddedSamples?: number | undefined;
      /** The most frames that are kept. */
      maxFrames?: number | undefined;
    },
  ): Promise<NativeMedia>;
  /**
   * Ready-made rows, [numRows, width], copied by a worker thread; every value must be finite (checked: `invalid_media`).
   * `grid`: image and video [t, h, w] in patches, else [0, 0, 0]. `width`: the language model's hidden size, times 1 + the
   * number of deepstack layers where a family has them.
   */
  embeddings(
    modality: 'image' | 'video' | 'audio',
    rows: Float32Array,
    numRows: number,
    grid: [number, number, number],
    secondsPerGrid: number,
  ): Promise<NativeMedia>;
  /**
   * Frames [begin, begin + numFrames) of a sound's features as media of their own, followed by zeros up to `paddedFrames`.
   * What lies behind the last frame is left out.
   */
  soundWindow(media: NativeMedia, begin: number, numFrames: number, paddedFrames: number): NativeMedia;
  /** Folder of the tensors that a checkpoint leaves to another one; empty: none. */
  findCompanion(folder: string): string;
  /** Interleaved samples of `numChannels` at `fromRate` to mono at `toRate`. */
  resample(
    samples: Float32Array,
    numChannels: number,
    fromRate: number,
    toRate: number,
  ): Promise<Float32Array>;
}
