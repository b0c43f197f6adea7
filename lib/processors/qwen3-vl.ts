import { SensoriumError } from '../errors.js';
import type { DecodedVideo, DenseTensor } from '../media/types.js';
import type { NativeAddon } from '../native/addon.js';
import { numberAt, objectAt, type CheckpointFiles, type JsonObject } from './checkpoint-files.js';
import { sizeOfFrames, withRequestedClipLimits, type ClipRules } from './clip-rules.js';
import { invalidEmbedding, processVisionEmbeddings, readHiddenSize } from './embeddings.js';
import { expandPlaceholders, writeOneRun, type ItemWriter } from './expand.js';
import { withNativeErrors } from './native-error.js';
import { readPlaceholders } from './qwen2-vl.js';
import { specialToken } from './special-tokens.js';
import { patchTimes, writeTimestamp } from './timestamps.js';
import type { KeyedItem, ProcessedItem, Processor, TextCodec, VideoSampling } from './types.js';
import {
  frameResizerTo,
  processImage,
  readVisionRules,
  withRequestedLimits,
  type VisionRules,
} from './vision-rules.js';

/** What the checkpoints state, for files that leave it out. */
const PATCHES = { patch_size: 16, image_mean: [0.5, 0.5, 0.5], image_std: [0.5, 0.5, 0.5] };
const IMAGE_DEFAULTS = { ...PATCHES, size: { shortest_edge: 65_536, longest_edge: 16_777_216 } };
const VIDEO_DEFAULTS = { ...PATCHES, size: { shortest_edge: 4096, longest_edge: 25_165_824 } };
const DEFAULT_NUM_DEEPSTACK_LEVELS = 3;
const DEFAULT_HIDDEN_SIZE = 4096;
const DEFAULT_MOE_HIDDEN_SIZE = 2048;

/** Tokens around each temporal patch. */
interface Borders {
  startId: number;
  endId: number;
}

/** Vectors of an encoder row: the embedding and those of the deepstack levels, which `visionConfig` names. */
export function numDeepstackVectors(visionConfig: JsonObject): number {
  const levels = visionConfig['deepstack_visual_indexes'];
  return 1 + (Array.isArray(levels) ? levels.length : DEFAULT_NUM_DEEPSTACK_LEVELS);
}

/** Rules for pictures of Qwen3's towers, from a file called preprocessor_config.json. Throws `invalid_checkpoint`. */
export function readQwen3ImageRules(imageProcessor: JsonObject): VisionRules {
  return readVisionRules({ ...IMAGE_DEFAULTS, ...imageProcessor }, 'preprocessor_config.json');
}

/** Qwen3-VL, dense and with experts: pictures as one run, clips as one run a temporal patch with its time before it. */
export function createQwen3VlProcessor(
  family: string,
  files: CheckpointFiles,
  addon: NativeAddon,
): Processor {
  const imageRules = readQwen3ImageRules(files.imageProcessor);
  const videoRules = readVisionRules(
    { ...VIDEO_DEFAULTS, ...files.videoProcessor },
    'video_preprocessor_config.json',
  );
  const placeholders = readPlaceholders(files);
  const borders: Borders = {
    startId: specialToken(files, files.config, ['vision_start_token_id'], '<|vision_start|>').id,
    endId: specialToken(files, files.config, ['vision_end_token_id'], '<|vision_end|>').id,
  };
  const visionConfig = objectAt(files.config, 'vision_config') ?? {};
  const usualSize = family === 'qwen3_vl_moe' ? DEFAULT_MOE_HIDDEN_SIZE : DEFAULT_HIDDEN_SIZE;
  const width = readHiddenSize(files.config, usualSize) * numDeepstackVectors(visionConfig);
  const hasNoHearing = (): SensoriumError =>
    new SensoriumError('unsupported_modality', 'This model does not take audio input.');
  return {
    family,
    modalities: ['image', 'video'],
    placeholders,
    samplingRate: 16_000,
    videoSampling: readSampling(files.videoProcessor),
    frameResizer: (size, numFrames, options) => {
      const rules = withRequestedClipLimits(videoRules, options);
      const sizeOf = (frame: typeof size): typeof size => sizeOfFrames(addon, { ...frame, numFrames }, rules);
      return frameResizerTo(addon, size, videoRules.patch, sizeOf);
    },
    async process(media, options) {
      if (media.kind === 'image') return processImage(addon, media, withRequestedLimits(imageRules, options));
      if (media.kind === 'audio') throw hasNoHearing();
      return processClip(addon, media, withRequestedClipLimits(videoRules, options));
    },
    async processEmbeddings(modality, tensors) {
      if (modality === 'audio') throw hasNoHearing();
      const { mergeSize } = modality === 'image' ? imageRules : videoRules;
      const item = await processVisionEmbeddings(addon, modality, tensors, { width, mergeSize });
      if (modality === 'image') return item;
      try {
        return { ...item, patchTimes: timesOfEmbeddings(item, tensors['timestamps'], videoRules) };
      } catch (error) {
        item.media.dispose();
        throw error;
      }
    },
    expand: (tokenIds, items, text) =>
      expandPlaceholders(tokenIds, items, placeholders, createItemWriter(borders, text)),
  };
}

/** Any number of frames will do: the last one is repeated. */
function readSampling(config: JsonObject): VideoSampling {
  return {
    fps: numberAt(config, 'fps') ?? 2,
    minFrames: numberAt(config, 'min_frames') ?? 4,
    maxFrames: numberAt(config, 'max_frames') ?? 768,
    frameFactor: 1,
  };
}

/** Patches of a clip. Throws `invalid_video`. */
async function processClip(
  addon: NativeAddon,
  { frames, width, height, metadata, sampledFps }: DecodedVideo,
  rules: ClipRules,
): Promise<ProcessedItem> {
  const { temporalPatchSize, mergeSize, patch } = rules.clip;
  const secondsPerGrid = temporalPatchSize / sampledFps;
  const media = await withNativeErrors('video', async () => {
    const size = sizeOfFrames(addon, { numFrames: frames.length, width, height }, rules);
    return addon.patchifyVideo(frames, width, height, secondsPerGrid, { ...patch, ...size });
  });
  const [t, h, w] = media.grid;
  return {
    modality: 'video',
    media,
    numTokens: (t * h * w) / (mergeSize * mergeSize),
    sizeBytes: media.sizeBytes,
    secondsPerGrid,
    patchTimes: patchTimes(metadata, temporalPatchSize),
  };
}

/** The `timestamps` of a ready-made clip, in seconds; else those of frames at an even rate from 0 on. */
function timesOfEmbeddings(
  item: ProcessedItem,
  timestamps: DenseTensor | undefined,
  { temporalPatchSize }: VisionRules,
): number[] {
  const [numPatches] = item.media.grid;
  const secondsPerGrid = item.secondsPerGrid ?? 1;
  if (timestamps === undefined) {
    const middle = (temporalPatchSize - 1) / (2 * temporalPatchSize);
    return Array.from({ length: numPatches }, (_, patch) => (patch + middle) * secondsPerGrid);
  }
  // As written in decimals: the nearest float32 of 1.45 would be told as 1.5.
  const isSingle = timestamps.data instanceof Float32Array;
  const times = [...timestamps.data].map((time) => (isSingle ? Number(time.toPrecision(7)) : time));
  if (times.length === numPatches && times.every((time) => Number.isFinite(time) && time >= 0)) return times;
  throw invalidEmbedding('timestamps', `must hold ${numPatches} times in seconds, one a temporal patch`);
}

function createItemWriter({ startId, endId }: Borders, text: TextCodec | undefined): ItemWriter {
  return (builder, item, placeholder, tokenIds, index) => {
    if (item.modality !== 'video') return writeOneRun(builder, item, placeholder, tokenIds, index);
    if (text === undefined) throw new Error('Clips of this model need a tokenizer for their timestamps.');
    const times = timesOf(item);
    // The borders around the placeholder give way to those of each temporal patch.
    const isBordered = builder.tokenIds.at(-1) === startId && tokenIds[index + 1] === endId;
    if (isBordered) builder.tokenIds.pop();
    const video = builder.addItem(item);
    for (const time of times) {
      writeTimestamp(builder, time, text);
      builder.add(startId);
      video.addRun(placeholder.tokenId, item.numTokens / times.length);
      builder.add(endId);
    }
    return isBordered ? 2 : 1;
  };
}

function timesOf(item: KeyedItem): number[] {
  const [numPatches] = item.media.grid;
  if (item.patchTimes?.length !== numPatches) throw new Error('A clip has no time for each temporal patch.');
  return item.patchTimes;
}
