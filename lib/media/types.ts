/** Decoded media: what the decoders make and the processors take. */

export type Modality = 'image' | 'video' | 'audio';

/** Interleaved 8-bit RGB, [height, width, 3], orientation applied, alpha composited. */
export interface DecodedImage {
  kind: 'image';
  data: Uint8Array;
  width: number;
  height: number;
}

export interface VideoMetadata {
  /** Frames per second of the source. */
  fps: number;
  totalNumFrames: number;
  /** Seconds. */
  duration: number;
  /** Source index of each kept frame. */
  framesIndices: number[];
}

/** Frames already sampled, all of one size, each interleaved RGB. */
export interface DecodedVideo {
  kind: 'video';
  frames: Uint8Array[];
  width: number;
  height: number;
  metadata: VideoMetadata;
  /** Frames per second after sampling (seconds_per_grid = temporal_patch_size / sampledFps). */
  sampledFps: number;
  /** Its own sound, where it was asked for and exists. */
  audio?: DecodedAudio | undefined;
}

/** Mono float samples at their own rate. */
export interface DecodedAudio {
  kind: 'audio';
  samples: Float32Array;
  samplingRate: number;
}

export type DecodedMedia = DecodedImage | DecodedVideo | DecodedAudio;

/** What a caller knows of the clip that a list of frames was taken from; checked by the media room. */
export interface FrameListMetadata {
  /** Frames per second of the source. */
  fps?: number | undefined;
  /** Source index of each frame, as many as there are frames. */
  framesIndices?: number[] | undefined;
  /** Seconds. */
  duration?: number | undefined;
  totalNumFrames?: number | undefined;
}

/** 8-bit pixels as a caller in process holds them: grey, grey with alpha, RGB or RGBA. */
export interface RawPixels {
  data: Uint8Array;
  width: number;
  height: number;
  channels: 1 | 2 | 3 | 4;
  /** [channels, height, width] rather than [height, width, channels]. */
  isPlanar?: boolean | undefined;
}

/** Floats in [-1, 1], or 16-bit or 32-bit PCM. */
export type SampleArray = Float32Array | Float64Array | Int16Array | Int32Array | readonly number[];

/** Sound as a caller in process holds it. */
export interface RawSamples {
  data: SampleArray | readonly SampleArray[];
  numChannels: number;
  /** [time, channels] or [channels, time] in one array; or one array for each channel, or for each point in time. */
  layout: 'interleaved' | 'planar' | 'channels' | 'frames';
  /** In Hz. Absent: the rate that the model works at. */
  samplingRate?: number | undefined;
}

/** A picture of the caller's own sharp: what is called of it here. */
export interface SharpImage {
  clone(): SharpImage;
  metadata(): Promise<{
    width?: number | undefined;
    height?: number | undefined;
    space?: string | undefined;
  }>;
  /** Since sharp 0.34; before, `rotate` without an angle. */
  autoOrient?(): SharpImage;
  rotate(): SharpImage;
  /** Since sharp 0.33. */
  keepIccProfile?(): SharpImage;
  pipelineColourspace(name: string): SharpImage;
  removeAlpha(): SharpImage;
  toColourspace(name: string): SharpImage;
  raw(options: { depth: 'uchar' }): SharpImage;
  toBuffer(options: {
    resolveWithObject: true;
  }): Promise<{ data: Uint8Array; info: { width: number; height: number; channels: number } }>;
}

/** Where a part's bytes come from. */
export type MediaSource =
  | { kind: 'url'; url: string }
  | { kind: 'bytes'; bytes: Uint8Array; mediaType?: string | undefined }
  /** Several still pictures that form one video; `fps`: the rate they were taken at, where `metadata` says none. */
  | {
      kind: 'frames';
      frames: MediaSource[];
      fps?: number | undefined;
      metadata?: FrameListMetadata | undefined;
    }
  | { kind: 'decoded'; media: DecodedMedia }
  /** A file that the program itself names: never made from what came over the wire. */
  | { kind: 'path'; path: string }
  | { kind: 'pixels'; pixels: RawPixels }
  | { kind: 'samples'; sound: RawSamples }
  | { kind: 'sharp'; image: SharpImage }
  /**
   * One item's rows for the language model, made elsewhere. `tensors.embeddings` holds the rows, [numRows, width] or
   * [1, numRows, width]; the others are the family's extras by their own names (`image_grid_thw`, `image_sizes`, ...).
   */
  | { kind: 'embeddings'; tensors: Record<string, TensorSource> };

/** Numbers as typed arrays hold them. A `Uint16Array` holds bfloat16 or float16, as its `dtype` says. */
export type TypedNumbers = Float32Array | Float64Array | Int32Array | BigInt64Array | Uint16Array;

/** Numbers with a shape. */
export interface TensorArray<Data = TypedNumbers | number[]> {
  data: Data;
  shape: number[];
  dtype?: 'float32' | 'float64' | 'float16' | 'bfloat16' | 'int32' | 'int64' | undefined;
}

/** Lists of lists of numbers, unchecked, with the shape that their first entries have. */
export interface NestedNumbers {
  list: readonly unknown[];
  shape: number[];
}

/** A tensor as it was given: numbers, or a file of torch.save, npy or safetensors (told by its first bytes). */
export type TensorSource =
  | { kind: 'array'; array: TensorArray }
  | { kind: 'list'; numbers: NestedNumbers }
  | { kind: 'file'; bytes: Uint8Array; slice?: TensorSlice | undefined }
  | { kind: 'base64'; text: string };

/** Elements [start, start + count) of the first axis: all that an item takes of a tensor of several items. */
export interface TensorSlice {
  start: number;
  count: number;
}

/** A tensor after decoding: dense, row-major. Integers are exact up to 2^53. */
export interface DenseTensor {
  data: Float32Array | Float64Array;
  shape: number[];
  isInteger: boolean;
}

/** One media part of a request, before anything was fetched. */
export interface MediaPart {
  modality: Modality;
  /** Absent: only the uuid is known. */
  source?: MediaSource | undefined;
  uuid?: string | undefined;
  /** Path of the part in the request, for errors. */
  param: string;
  /** Per-part processor options (min_pixels, max_pixels, fps, ...). */
  options?: Record<string, unknown> | undefined;
}

/** The most that one item of a modality may be, in pixels, frames, or samples at the model's rate. */
export interface ItemLimit {
  width?: number | undefined;
  height?: number | undefined;
  num_frames?: number | undefined;
  length?: number | undefined;
}

/** Request-level options that change what media become. */
export interface MediaOptions {
  mediaIoKwargs?: Partial<Record<Modality, Record<string, unknown>>> | undefined;
  mmProcessorKwargs?: Record<string, unknown> | undefined;
}

/** Where media may come from and how much of it, see `sensorium serve --help`. Sizes in bytes, times in ms. */
export interface MediaPolicy {
  allowPrivateMediaAddresses: boolean;
  allowedMediaDomains: string[];
  /** Absent: `file:` is refused. */
  allowedLocalMediaPath?: string | undefined;
  maxImageBytes: number;
  maxAudioBytes: number;
  maxVideoBytes: number;
  maxImagePixels: number;
  /** Tensors of one item of ready-made embeddings, as given and as float32. */
  maxEmbeddingBytes: number;
  maxAudioSeconds: number;
  /** Mono samples of one sound. */
  maxAudioDecodedBytes: number;
  maxVideoFrames: number;
  maxVideoSeconds: number;
  maxRedirects: number;
  imageFetchTimeoutMs: number;
  audioFetchTimeoutMs: number;
  videoFetchTimeoutMs: number;
  /** Attempts in all for unreachable hosts and 5xx. */
  maxFetchAttempts: number;
  /** Bytes of fetched and decoded media that may be in flight at once, over all requests. */
  maxInFlightBytes: number;
  /** Sampler of videos where no option names one. Absent: the rules of the checkpoint's family. */
  videoLoader?: string | undefined;
  ffmpegPath: string;
  ffprobePath: string;
}
