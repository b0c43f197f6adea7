import type { NativeMedia } from '../native/addon.js';
import type { DecodedAudio, DecodedMedia, DenseTensor, Modality } from '../media/types.js';

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
  /** Sound whose rows depend on the others of its prompt: its features where a longer one is among them. */
  paddedMedia?: NativeMedia | undefined;
  /** Video with its own sound: the sound's item. */
  audio?: ProcessedItem | undefined;
  /** Video: seconds of one temporal patch. */
  secondsPerGrid?: number | undefined;
  /** Picture of a family whose prompt tells its slices: how they lie. */
  tileGrid?: TileGrid | undefined;
  /** Video of a family that tells times: seconds at the middle of each temporal patch. */
  patchTimes?: number[] | undefined;
}

/** Tiles behind a picture's overview; 0 rows: the overview alone. */
export interface TileGrid {
  rows: number;
  columns: number;
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

/** What a processor that writes text beside media needs of the tokenizer. */
export interface TextCodec {
  /** A text's ids where control tokens that it spells stay text. */
  encodePlain(text: string): number[];
  /** Text of tokens without the special ones. */
  decode(tokenIds: readonly number[]): string;
  isSpecial(tokenId: number): boolean;
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

/** A whole sound as a model that writes down speech takes it: in windows. */
export interface SpeechFeatures {
  media: NativeMedia;
  /** Frames with sound in them; windows beyond hold padding only. */
  numSoundFrames: number;
  /** Frames in all; for short sounds a whole window. */
  numFrames: number;
}

/** How a model that writes down speech hears. */
export interface SpeechProcessor {
  /** Frames of one window. */
  readonly windowFrames: number;
  readonly secondsPerFrame: number;
  /** Spectrogram of a whole sound, on worker threads. Throws `invalid_audio`. */
  analyse(sound: DecodedAudio): Promise<SpeechFeatures>;
  /** The window from frame `begin` on, zeros behind the last frame. */
  window(features: SpeechFeatures, begin: number): ProcessedItem;
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
  /** Whether rendered chats begin with what the tokenizer puts before a text, as prompts do. Default false. */
  readonly addsSpecialTokens?: boolean | undefined;
  /** Spellings that stand for media though the tokenizer knows no such token; their ids lie behind its vocabulary. */
  readonly addedTokens?: readonly { token: string; tokenId: number }[] | undefined;
  /** Rate that audio must be resampled to. */
  readonly samplingRate: number;
  /** Default sampling of videos, before request options. */
  readonly videoSampling: VideoSampling;
  /** Set by families that only write down speech: they take no prompts with media. */
  readonly speech?: SpeechProcessor | undefined;
  /** Options that follow from all media of a request together; each item is processed, and cached, with them. */
  optionsOfRequest?(parts: readonly { modality: Modality }[]): Record<string, unknown>;
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
   * Replaces the k-th placeholder token of each modality by the k-th item's tokens. `text`: needed by families that write
   * text beside media.
   * Throws `placeholder_mismatch` when counts differ.
   */
  expand(tokenIds: readonly number[], items: readonly KeyedItem[], text?: TextCodec): ExpandedPrompt;
}
