import type { DecodedAudio, DecodedVideo } from '../media/types.js';
import type { NativeAddon } from '../native/addon.js';
import { numberAt, objectAt, type CheckpointFiles, type JsonObject } from './checkpoint-files.js';
import { processAudioEmbeddings, processVisionEmbeddings, readHiddenSize } from './embeddings.js';
import { withOwnSound } from './clip-sound.js';
import { expandPlaceholders } from './expand.js';
import { withNativeErrors } from './native-error.js';
import { interleavingWriter, readTokens, type OmniTokenTexts, type Turn } from './qwen2-5-omni.js';
import { numDeepstackVectors, readQwen3ImageRules } from './qwen3-vl.js';
import type { KeyedItem, ProcessedItem, Processor } from './types.js';
import {
  createFrameResizer,
  processImage,
  processVideo,
  readVideoSampling,
  withRequestedLimits,
  type VisionRules,
} from './vision-rules.js';
import { HOP_LENGTH, melBinsOf, WHISPER_SAMPLING_RATE, whisperSamples } from './whisper-features.js';

const TOKEN_TEXTS: OmniTokenTexts = {
  vision_start: '<|vision_start|>',
  vision_end: '<|vision_end|>',
  audio_start: '<|audio_start|>',
  audio_end: '<|audio_end|>',
  image: '<|image_pad|>',
  video: '<|video_pad|>',
  audio: '<|audio_pad|>',
};
const DEFAULT_FPS = 1;
const DEFAULT_HIDDEN_SIZE = 2048;
/** The spectrogram's frames reach 200 samples to both sides. */
const MIN_SAMPLES = 2 * HOP_LENGTH;
/** Frames of mel that the audio tower convolves together, and the tokens it makes of them. */
const CHUNK_FRAMES = 100;
const CHUNK_TOKENS = 13;

/** Qwen3-Omni's thinker: pictures, clips, sounds, and clips interleaved with their own sound. */
export function createQwen3OmniProcessor(
  family: string,
  files: CheckpointFiles,
  addon: NativeAddon,
): Processor {
  const thinker = objectAt(files.config, 'thinker_config') ?? files.config;
  const imageRules = readQwen3ImageRules(files.imageProcessor);
  const videoRules = readQwen3ImageRules(files.videoProcessor);
  const numMelBins = melBinsOf(objectAt(thinker, 'audio_config') ?? {}, files, 128);
  const tokens = readTokens(files, thinker, TOKEN_TEXTS);
  const hiddenSize = readHiddenSize(thinker, DEFAULT_HIDDEN_SIZE);
  const visionWidth = hiddenSize * numDeepstackVectors(objectAt(thinker, 'vision_config') ?? {});
  const positionsPerSecond = numberAt(thinker, 'position_id_per_seconds') ?? 25;

  const processAudio = (audio: DecodedAudio): Promise<ProcessedItem> =>
    processSound(addon, audio, numMelBins);
  const processClip = async (video: DecodedVideo, options: JsonObject): Promise<ProcessedItem> => {
    const item = await processVideo(addon, video, withRequestedLimits(videoRules, options));
    return withOwnSound(item, video, processAudio);
  };
  const writeItem = interleavingWriter(tokens, (video, audio) =>
    mergeByTime(video, audio, positionsPerSecond, videoRules),
  );

  return {
    family,
    modalities: ['image', 'video', 'audio'],
    placeholders: tokens.placeholders,
    samplingRate: WHISPER_SAMPLING_RATE,
    videoSampling: {
      ...readVideoSampling(files.videoProcessor, videoRules.temporalPatchSize),
      fps: numberAt(files.videoProcessor, 'fps') ?? DEFAULT_FPS,
    },
    frameResizer: (size, numFrames, options) =>
      createFrameResizer(addon, size, withRequestedLimits(videoRules, options), numFrames),
    async process(media, options) {
      if (media.kind === 'image') return processImage(addon, media, withRequestedLimits(imageRules, options));
      return media.kind === 'video' ? processClip(media, options) : processAudio(media);
    },
    processEmbeddings(modality, tensors) {
      if (modality === 'audio')
        return processAudioEmbeddings(addon, tensors, { width: hiddenSize }, numAudioTokens);
      const { mergeSize } = modality === 'image' ? imageRules : videoRules;
      return processVisionEmbeddings(addon, modality, tensors, { width: visionWidth, mergeSize });
    },
    expand: (tokenIds, items) =>
      expandPlaceholders(tokenIds, fitToLongest(addon, items), tokens.placeholders, writeItem),
  };
}

/** A sound's log-mel frames as it has them alone, whose end is reflected, and beside a longer one, with silence behind it. */
async function processSound(
  addon: NativeAddon,
  audio: DecodedAudio,
  numMelBins: number,
): Promise<ProcessedItem> {
  const samples = withLeastLength(await whisperSamples(addon, audio));
  const [media, paddedMedia] = await withNativeErrors('audio', () =>
    Promise.all([
      addon.logMel(samples, { numMelBins, isPaddedWithSilence: false }),
      addon.logMel(samples, { numMelBins, isPaddedWithSilence: true }),
    ]),
  );
  const sizeBytes = media.sizeBytes + paddedMedia.sizeBytes;
  return { modality: 'audio', media, paddedMedia, numTokens: numAudioTokens(media.numRows), sizeBytes };
}

function withLeastLength(samples: Float32Array): Float32Array {
  // No sound at all stays one, so that it is refused.
  if (samples.length === 0 || samples.length >= MIN_SAMPLES) return samples;
  const padded = new Float32Array(MIN_SAMPLES);
  padded.set(samples);
  return padded;
}

/** The sounds of a prompt are one batch: behind all but the longest lies silence. */
function fitToLongest(addon: NativeAddon, items: readonly KeyedItem[]): KeyedItem[] {
  const framesOf = ({ paddedMedia }: ProcessedItem): number => paddedMedia?.numRows ?? 0;
  const longest = Math.max(...items.map((item) => framesOf(item.audio ?? item)));
  const fit = <T extends ProcessedItem>(sound: T): T =>
    framesOf(sound) === 0 || framesOf(sound) === longest ? sound : besideLonger(addon, sound, longest);
  return items.map((item) => {
    if (item.audio === undefined) {
      const fitted = fit(item);
      return fitted === item ? item : { ...fitted, key: keyBeside(item.key, longest) };
    }
    const audio = fit(item.audio);
    return audio === item.audio ? item : { ...item, audio, key: keyBeside(item.key, longest) };
  });
}

/** A longer sound makes the only chunk of a short one as long as its own. */
const chunkFramesBeside = (longest: number): number => Math.min(longest, CHUNK_FRAMES);

const keyBeside = (key: string, longest: number): string => `${key}/beside-${chunkFramesBeside(longest)}`;

function besideLonger<T extends ProcessedItem>(addon: NativeAddon, sound: T, longest: number): T {
  const padded = sound.paddedMedia ?? sound.media;
  const numFrames = padded.numRows;
  const chunkFrames = chunkFramesBeside(longest);
  const media = numFrames < chunkFrames ? addon.soundWindow(padded, 0, numFrames, chunkFrames) : padded;
  return { ...sound, media, numTokens: numAudioTokens(numFrames) };
}

/** Rows that three convolutions of stride 2 make of a sound's mel frames, chunk by chunk. */
function numAudioTokens(numMelFrames: number): number {
  const halved = (count: number): number => Math.ceil(count / 2);
  const numRest = halved(halved(halved(numMelFrames % CHUNK_FRAMES)));
  return Math.floor(numMelFrames / CHUNK_FRAMES) * CHUNK_TOKENS + numRest;
}

/** Whichever comes first in time goes first; where both come at once, the clip's token. A sound token is one position. */
function mergeByTime(
  video: KeyedItem,
  audio: KeyedItem,
  positionsPerSecond: number,
  { mergeSize }: VisionRules,
): Turn[] {
  const [numPatches, height, width] = video.media.grid;
  const cellsPerPatch = (height * width) / (mergeSize * mergeSize);
  const turns: Turn[] = [];
  let numHeard = 0;
  for (let patch = 0; patch < numPatches; patch++) {
    const position = patch * (video.secondsPerGrid ?? 1) * positionsPerSecond;
    const numHeardBefore = Math.min(Math.max(Math.ceil(position), numHeard), audio.numTokens);
    turns.push([0, numHeardBefore - numHeard], [cellsPerPatch, 0]);
    numHeard = numHeardBefore;
  }
  turns.push([0, audio.numTokens - numHeard]);
  return turns;
}
