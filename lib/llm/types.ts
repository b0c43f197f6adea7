import type { DownloadProgress } from '../hub/types.js';
import type { FinishReason, Timings, Usage } from '../engine/types.js';
import type {
  DecodedAudio,
  DecodedImage,
  DecodedVideo,
  MediaOptions,
  MediaPolicy,
  Modality,
  SampleArray,
  SharpImage,
  TensorArray,
} from '../media/types.js';
import type { NativeStats } from '../native/addon.js';
import type { ChatOptions, SamplingOptions } from '../request/types.js';
import type { TranscriptionOptions } from '../transcription/types.js';

export interface LLMOptions {
  /**
   * Folder of a checkpoint in the Hub's layout, or `owner/name` of one on the Hub, which is fetched into the cache.
   * Default: the embedded demo model.
   */
  model?: string | undefined;
  /** Branch, tag or commit on the Hub. Default `main`. */
  revision?: string | undefined;
  /** Cache of fetched models. Default: the Hub's own (`HF_HOME`). */
  downloadDir?: string | undefined;
  /** For private and gated models. Default: `HF_TOKEN`, else the token that the Hub's tools stored. */
  hfToken?: string | undefined;
  /** Uses only what the cache holds. Default: `HF_HUB_OFFLINE`. */
  isOffline?: boolean | undefined;
  /** Told while a model is fetched. */
  onDownload?: ((progress: DownloadProgress) => void) | undefined;
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
  /** The same as `num_frames`. */
  numFrames?: number | undefined;
  /** Samples of sound at the model's rate. */
  length?: number | undefined;
}

/** The most that one item of a modality may be: what a MediaLimit says beside its count. */
export type ItemLimit = Omit<MediaLimit, 'count' | 'numFrames'>;

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

/** What every modality takes: encoded bytes, a path, or a URL (`file:` as a URL object). */
export type EncodedInput = string | URL | Uint8Array | ArrayBuffer;

/** Interleaved 8-bit pixels, [height, width, channels]. */
export interface RawImageInput {
  data: Uint8Array | Uint8ClampedArray;
  width: number;
  height: number;
  /** Grey, grey with alpha, RGB, RGBA. Default: from the length of `data`. */
  channels?: number | undefined;
}

/** What sharp's `toBuffer({ resolveWithObject: true })` resolves with for raw output. */
export interface SharpOutputInput {
  data: Uint8Array;
  info: { width: number; height: number; channels: number };
}

/** 8-bit pixels: [h, w], [h, w, channels] or [channels, h, w]; one dimension more in front for several, or for frames. */
export interface PixelArrayInput {
  data: Uint8Array | Uint8ClampedArray;
  shape: number[];
}

/** One picture, decoded by the caller. */
export type DecodedPictureInput =
  RawImageInput | SharpOutputInput | PixelArrayInput | SharpImage | DecodedImage;

/** Samples in [-1, 1], or 16- or 32-bit PCM; of two dimensions the smaller is the channels, which are mixed to mono. */
export type SamplesInput =
  | SampleArray
  | readonly SampleArray[]
  | { data: SampleArray; shape: number[]; samplingRate?: number | undefined };

/** Samples and their rate in Hz; without one, the rate that the model works at. */
export interface RawAudioInput {
  samples: SamplesInput;
  samplingRate?: number | undefined;
}

/** Sound as an entry of a Hugging Face data set has it. */
export interface DatasetAudioInput {
  array: SamplesInput;
  sampling_rate?: number | undefined;
}

/** What is known of the clip that frames were taken from; either spelling. */
export interface FramesMetadataInput {
  fps?: number | undefined;
  frames_indices?: number[] | undefined;
  framesIndices?: number[] | undefined;
  /** Seconds. */
  duration?: number | undefined;
  total_num_frames?: number | undefined;
  totalNumFrames?: number | undefined;
  [key: string]: unknown;
}

/** Pictures of one video, or an 8-bit array of [frames, height, width, channels]. */
export type FrameListInput = readonly (EncodedInput | DecodedPictureInput)[] | PixelArrayInput;

/** Frames of one video, already sampled. */
export interface FramesInput {
  frames: FrameListInput;
  /** Rate that they were sampled at. */
  fps?: number | undefined;
  metadata?: FramesMetadataInput | undefined;
}

export type ImageInput = EncodedInput | DecodedPictureInput | { url: EncodedInput };
export type VideoInput =
  | EncodedInput
  | FramesInput
  | FrameListInput
  | readonly [FrameListInput, FramesMetadataInput]
  | DecodedVideo
  | { url: EncodedInput };
export type AudioInput =
  | EncodedInput
  | RawAudioInput
  | DatasetAudioInput
  | SamplesInput
  | readonly [SamplesInput, number]
  | DecodedAudio
  | { url: EncodedInput };

/** Pictures, videos or sounds as an application has them. */
export type MediaInput = ImageInput | VideoInput | AudioInput;

/** Numbers, or lists of them to any depth up to 4, all of one length at each depth. */
export type NestedNumbers = number | readonly NestedNumbers[];

/**
 * A tensor: numbers with their shape or nested, or a file of torch.save, npy or safetensors as bytes, base64 or a `data:` URL.
 */
export type TensorInput = TensorArray | Uint8Array | ArrayBuffer | string | NestedNumbers;

/**
 * Encoder rows made elsewhere: a tensor [items, rows, width], or one under `image_embeds` (`video_embeds`,
 * `audio_embeds`) beside what the family needs with it (`image_grid_thw`, `image_sizes`, ...); a list has an entry an item.
 */
export type EmbeddingsInput =
  TensorArray | Record<string, TensorInput | readonly TensorInput[] | null | undefined>;

/** A content part as OpenAI's clients write it, with in-process payloads allowed. */
export interface MessagePartInput {
  type?: string | undefined;
  text?: string | undefined;
  image?: ImageInput | null | undefined;
  /** The same as `image`. */
  image_pil?: ImageInput | null | undefined;
  image_url?: ImageInput | { url: ImageInput; detail?: string | undefined } | null | undefined;
  video?: VideoInput | null | undefined;
  video_url?: VideoInput | null | undefined;
  /** Beside frames: what is known of their clip. */
  metadata?: FramesMetadataInput | undefined;
  audio?: AudioInput | null | undefined;
  audio_url?: AudioInput | null | undefined;
  /** One item's rows; in an object also what the family needs beside them. */
  image_embeds?: EmbeddingsInput | TensorInput | null | undefined;
  video_embeds?: EmbeddingsInput | TensorInput | null | undefined;
  audio_embeds?: EmbeddingsInput | TensorInput | null | undefined;
  input_audio?: AudioInput | { data: string | Uint8Array; format?: string | undefined } | null | undefined;
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
  prompt?: string | number[] | undefined;
  /** Instead of `prompt`, or beside the text that they spell. */
  promptTokenIds?: number[] | undefined;
  /** One item or a list. A null item, or a null modality, stands for what its uuids name. */
  multiModalData?: MultiModalData | undefined;
  /** As many as items; null: the item is known by its content. */
  multiModalUuids?:
    Partial<Record<Modality, string | readonly (string | null | undefined)[] | null | undefined>> | undefined;
  /** Laid over the call's own. Names may be camelCase, here and in `mediaIoKwargs`. */
  mmProcessorKwargs?: Record<string, unknown> | undefined;
  mediaIoKwargs?: MediaOptions['mediaIoKwargs'];
  /** Replaces the call's own. */
  cacheSalt?: string | undefined;
}

export interface MultiModalData {
  image?: ImageInput | EmbeddingsInput | null | readonly (ImageInput | EmbeddingsInput | null)[] | undefined;
  /** A list of nothing but pictures is one video; lists of GIF or WebP files are several. */
  video?: VideoInput | EmbeddingsInput | null | readonly (VideoInput | EmbeddingsInput | null)[] | undefined;
  audio?: AudioInput | EmbeddingsInput | null | readonly (AudioInput | EmbeddingsInput | null)[] | undefined;
}

export type PromptInput = string | number[] | MultiModalPrompt;

/** What media a prompt may hold: checked before anything is fetched. */
export interface MediaRules {
  modalities: readonly Modality[];
  /** Parts per prompt. */
  limits: Readonly<Record<Modality, number>>;
  /** By modality; absent: only the limits of the media policy. */
  itemLimits?: Readonly<Partial<Record<Modality, ItemLimit>>> | undefined;
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
  /** Only the first numbers, where the model is made for it. */
  dimensions?: number | undefined;
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
