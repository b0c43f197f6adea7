import type { NativeMedia } from '../native/addon.js';
import type { DecodedMedia, DenseTensor, Modality } from '../media/types.js';

/** Placeholder tokens of one modality in a prompt. */
export interface PlaceholderTokens {
  /** The token that stands once in the template and once per encoder row after expansion. */
  token: string;
  tokenId: number;
  /**
   * How a text-format template (or a `generate` prompt) spells one item, e.g. `<|vision_start|><|image_pad|><|vision_end|>`.
   * `{n}` in it stands for the item's number in the conversation, from 1.
   */
  spelling: string;
  /** A text-format template has it within a line of text, not on a line of its own. */
  isInline?: boolean | undefined;
}

/** A processed item, as cached: everything expansion and the engine need. */
export interface ProcessedItem {
  modality: Modality;
  media: NativeMedia;
  /** Encoder rows, i.e. placeholder tokens. */
  numTokens: number;
  sizeBytes: number;
  /** Video with its own sound: the sound's item. */
  audio?: ProcessedItem | undefined;
  /** Video: seconds of one temporal patch. */
  secondsPerGrid?: number | undefined;
}

/** A ProcessedItem with the key that names it in every cache. */
export interface KeyedItem extends ProcessedItem {
  key: string;
}

/** The prompt as the engine takes it. */
export interface ExpandedPrompt {
  promptIds: Int32Array;
  media: {
    item: KeyedItem;
    runs: [offset: number, count: number][];
    isInterleavedWithAudio: boolean;
  }[];
  /** Prompt tokens by modality, for usage. */
  numTokensByModality: Record<Modality, number>;
}

/** How a processor picks the frames of a clip. */
export interface VideoSampling {
  /** Frames per second to look at. */
  fps: number;
  minFrames: number;
  maxFrames: number;
  /** Frame counts are multiples of this. */
  frameFactor: number;
  /**
   * Whether frames are the middles of stretches of 1 / fps seconds, as a conversion to a constant rate gives them
   * (checkpoints that state their own rate); else they are spread from the first frame to the last.
   */
  isConstantRate?: boolean | undefined;
}

/** Brings frames of a clip to the size that a processor cuts them at, one by one while they are decoded. */
export interface FrameResizer {
  width: number;
  height: number;
  /** `frame`: interleaved RGB of the clip's own size. Exactly what `process` would do to it. */
  resize(frame: Uint8Array): Promise<Uint8Array>;
}

/** One model family's media rules. Built from the checkpoint's folder; holds no request state. */
export interface Processor {
  readonly family: string;
  readonly modalities: readonly Modality[];
  readonly placeholders: Partial<Record<Modality, PlaceholderTokens>>;
  /** Rate that audio must be resampled to. */
  readonly samplingRate: number;
  /** Default sampling of videos, before request options. */
  readonly videoSampling: VideoSampling;
  /** Decoded media to encoder input, on worker threads. `options`: merged mm_processor_kwargs and part options. */
  process(media: DecodedMedia, options: Record<string, unknown>): Promise<ProcessedItem>;
  /**
   * What makes the frames of a clip of `size` smaller before they are gathered; absent or undefined where nothing does.
   * `options` as for `process`.
   */
  frameResizer?(
    size: { width: number; height: number },
    numFrames: number,
    options: Record<string, unknown>,
  ): FrameResizer | undefined;
  /**
   * Ready-made rows of one item (`tensors.embeddings`, [numRows, width]) with the family's extras, as an item of
   * `modality`. Checks the whole contract: width, row count against the extras, finite values.
   * Throws `invalid_embedding`, naming the tensor; `missing_field` for an extra that the family needs.
   */
  processEmbeddings(
    modality: Modality,
    tensors: Record<string, DenseTensor>,
  ): ProcessedItem | Promise<ProcessedItem>;
  /**
   * Replaces the k-th placeholder token of each modality by the k-th item's tokens.
   * Throws `placeholder_mismatch` when counts differ.
   */
  expand(tokenIds: readonly number[], items: readonly KeyedItem[]): ExpandedPrompt;
}
