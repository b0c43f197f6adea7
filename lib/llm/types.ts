import type { FinishReason, Timings, Usage } from '../engine/types.js';
import type { DecodedMedia, MediaOptions, MediaPolicy, Modality } from '../media/types.js';
import type { NativeStats } from '../native/addon.js';
import type { ChatOptions, SamplingOptions } from '../request/types.js';
import type { TranscriptionOptions } from '../transcription/types.js';

export interface LLMOptions {
  /** Folder of a checkpoint in the Hub's layout. Default: the embedded demo model. */
  model?: string | undefined;
  /** `auto` is `bfloat16`; `float32` is the exact mode. */
  dtype?: 'auto' | 'float32' | 'bfloat16' | undefined;
  /** generic | avx2 | avx512 | amx. Default: `SENSORIUM_CPU_ISA`, else the best this machine has. */
  isa?: string | undefined;
  numThreads?: number | undefined;
  /** Prompt and answer together, in tokens. Default: the model's own maximum. */
  maxModelLen?: number | undefined;
  maxNumSeqs?: number | undefined;
  maxNumBatchedTokens?: number | undefined;
  /** GiB; may be a fraction. Default: what maxNumSeqs full contexts need, at most a quarter of the memory. */
  kvCacheGb?: number | undefined;
  /** GiB for processed media and encoder rows together; may be a fraction. */
  mmProcessorCacheGb?: number | undefined;
  enablePrefixCaching?: boolean | undefined;
  /**
   * Media parts one prompt may have; 0 turns a modality off. With sizes: what one item may be at most
   * (`{ count, width, height, num_frames, length }`; pixels, frames, samples).
   */
  limitMmPerPrompt?: Partial<Record<Modality, number | MediaLimit>> | undefined;
  /** Names of the model for clients; the first is the one told. Default: the folder's name. */
  servedModelName?: string | string[] | undefined;
  /** Takes ready-made embeddings (`image_embeds` and its like). Default false. */
  enableMmEmbeds?: boolean | undefined;
  /** Text-format templates: media stand where they are among the texts (default), or all before the text. */
  interleaveMmStrings?: boolean | undefined;
  /** What the template expects of `content`. Default `auto`: read from the template. */
  chatTemplateContentFormat?: 'auto' | 'string' | 'openai' | undefined;
  /** Takes a `chatTemplate` with each request. Default false. */
  trustRequestChatTemplate?: boolean | undefined;
  /** Only these hosts are fetched from: exact names, or `*.name` for its subdomains. */
  allowedMediaDomains?: string[] | undefined;
  /** Opens `file:` URLs inside this folder. */
  allowedLocalMediaPath?: string | undefined;
  allowPrivateMediaAddresses?: boolean | undefined;
  /** What shows through transparent pixels, [R, G, B] from 0 to 255. Default white. */
  rgbaBackgroundColor?: [number, number, number] | undefined;
  /** Media of all requests that are decoded and preprocessed at the same time. */
  numMediaWorkers?: number | undefined;
  /** What the model is run for. Default `auto`: what its checkpoint is made for. */
  runner?: 'auto' | 'generate' | 'pooling' | undefined;
  /** Accepted for vLLM's users. Code of a checkpoint never runs; one warning says so. */
  trustRemoteCode?: boolean | undefined;
  /** A Jinja template (text), or the path of a file that holds one; replaces the checkpoint's. */
  chatTemplate?: string | undefined;
  /** Limits of media and where they come from; the named options above are laid over it. */
  mediaPolicy?: Partial<MediaPolicy> | undefined;
  mediaIoKwargs?: MediaOptions['mediaIoKwargs'];
  mmProcessorKwargs?: MediaOptions['mmProcessorKwargs'];
  /** Requests that may wait in the engine's queue. */
  maxQueued?: number | undefined;
  onProgress?: ((doneBytes: number, totalBytes: number) => void) | undefined;
}

/** Parts of one modality in a prompt, and the most that one may be. */
export interface MediaLimit {
  count?: number | undefined;
  /** Pixels. */
  width?: number | undefined;
  height?: number | undefined;
  num_frames?: number | undefined;
  /** Samples of sound at the model's rate. */
  length?: number | undefined;
}

/** How sampling fields are called in error messages: `maxTokens` in process, `max_tokens` on the wire. */
export type ParamStyle = 'camel' | 'snake';

export interface SubmitOptions {
  sampling?: SamplingOptions | undefined;
  requestId?: string | undefined;
  /** Tenant: caches are shared only within one. */
  cacheSalt?: string | undefined;
  signal?: AbortSignal | undefined;
  /** Default `camel`. */
  paramStyle?: ParamStyle | undefined;
}

/** Options of `transcribe`. */
export interface TranscribeOptions extends TranscriptionOptions {
  requestId?: string | undefined;
  cacheSalt?: string | undefined;
  signal?: AbortSignal | undefined;
}

export interface BatchProgress {
  numDone: number;
  numTotal: number;
}

/** Options of the in-process calls: sampling and media options side by side. */
export interface GenerateOptions extends SamplingOptions, MediaOptions {
  requestId?: string | undefined;
  cacheSalt?: string | undefined;
  signal?: AbortSignal | undefined;
  /** Called once a request of a batch ends. */
  onProgress?: ((progress: BatchProgress) => void) | undefined;
}

export interface ChatCallOptions extends GenerateOptions, ChatOptions {}

/** Pictures, videos or sounds as an application has them: encoded bytes, a path, a URL, or raw samples. */
export type MediaInput =
  | string
  | URL
  | Uint8Array
  | DecodedMedia
  | RawImageInput
  | RawAudioInput
  | FramesInput
  | { url: string | URL | Uint8Array };

/** Interleaved 8-bit pixels, [height, width, channels]. */
export interface RawImageInput {
  data: Uint8Array | Uint8ClampedArray;
  width: number;
  height: number;
  /** Default: from the length of `data`. */
  channels?: 1 | 3 | 4 | undefined;
}

/** Mono samples in [-1, 1]. */
export interface RawAudioInput {
  samples: Float32Array;
  samplingRate: number;
}

/** Frames of one video, already sampled at `fps`. */
export interface FramesInput {
  frames: (string | URL | Uint8Array | RawImageInput)[];
  fps?: number | undefined;
}

/** A content part as OpenAI's clients write it, with in-process payloads allowed. */
export interface MessagePartInput {
  type?: string | undefined;
  text?: string | undefined;
  image?: MediaInput | null | undefined;
  image_url?: MediaInput | { url: MediaInput; detail?: string | undefined } | null | undefined;
  video?: MediaInput | null | undefined;
  video_url?: MediaInput | FramesInput | null | undefined;
  audio?: MediaInput | null | undefined;
  audio_url?: MediaInput | null | undefined;
  input_audio?: MediaInput | { data: string | Uint8Array; format?: string | undefined } | null | undefined;
  uuid?: string | undefined;
  [key: string]: unknown;
}

export interface ChatMessageInput {
  role: string;
  content?: string | (string | MessagePartInput)[] | null | undefined;
  [key: string]: unknown;
}

/** A `generate` prompt whose text or ids hold one placeholder per media item. */
export interface MultiModalPrompt {
  prompt: string | number[];
  multiModalData?: Partial<Record<Modality, MediaInput | null | (MediaInput | null)[]>> | undefined;
  multiModalUuids?: Partial<Record<Modality, string | (string | null)[]>> | undefined;
  mmProcessorKwargs?: Record<string, unknown> | undefined;
}

export type PromptInput = string | number[] | MultiModalPrompt;

/** What media a prompt may hold: checked before anything is fetched. */
export interface MediaRules {
  modalities: readonly Modality[];
  /** Parts per prompt. */
  limits: Readonly<Record<Modality, number>>;
  /** Whether ready-made embeddings are taken; they are then taken where a limit is 0 too. */
  hasEmbeddings: boolean;
}

export interface MediaCacheStats {
  queries: number;
  hits: number;
  evictions: number;
  sizeBytes: number;
}

export interface LLMStats extends NativeStats {
  mediaCache: MediaCacheStats;
}

/** Told once for every request that ended, for histograms. */
export interface RequestObservation {
  requestId: string;
  /** Absent: it failed. */
  finishReasons?: FinishReason[] | undefined;
  errorCode?: string | undefined;
  usage?: Usage | undefined;
  timings?: Timings | undefined;
}

/** Options of `LLM.embed`. */
export interface EmbedOptions {
  /** Whether embeddings have length 1. Default true. */
  normalize?: boolean | undefined;
  /** Caches are shared only between requests of one salt. */
  cacheSalt?: string | undefined;
  signal?: AbortSignal | undefined;
  mediaIoKwargs?: MediaOptions['mediaIoKwargs'];
  mmProcessorKwargs?: MediaOptions['mmProcessorKwargs'];
}

/** What a prompt means, as numbers. */
export interface EmbeddingResult {
  /** As many numbers as the language model is wide. */
  embedding: Float32Array;
  usage: { promptTokens: number; cachedTokens: number };
}

export interface CloseOptions {
  /** How long running requests may finish by themselves; then they are aborted. Default 0. */
  graceMs?: number | undefined;
}
