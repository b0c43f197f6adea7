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

/** Where a part's bytes come from. */
export type MediaSource =
  | { kind: 'url'; url: string }
  | { kind: 'bytes'; bytes: Uint8Array; mediaType?: string | undefined }
  /** Several still pictures that form one video. */
  | { kind: 'frames'; frames: MediaSource[]; fps?: number | undefined }
  | { kind: 'decoded'; media: DecodedMedia };

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
  maxAudioSeconds: number;
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
  ffmpegPath: string;
  ffprobePath: string;
}
