import type { DecodedAudio, DecodedVideo, Modality } from '../media/types.js';
import type { NativeAddon } from '../native/addon.js';
import { numberAt, objectAt, type CheckpointFiles, type JsonObject } from './checkpoint-files.js';
import { processAudioEmbeddings, processVisionEmbeddings, readHiddenSize } from './embeddings.js';
import { withOwnSound } from './clip-sound.js';
import { expandPlaceholders, writeOneRun, type ItemWriter } from './expand.js';
import { specialToken } from './special-tokens.js';
import type { KeyedItem, PlaceholderTokens, ProcessedItem, Processor } from './types.js';
import {
  createFrameResizer,
  processImage,
  processVideo,
  readVideoSampling,
  readVisionRules,
  withRequestedLimits,
} from './vision-rules.js';
import { numPooledAudioTokens, WHISPER_SAMPLING_RATE, whisperFeatures } from './whisper-features.js';

const DEFAULT_HIDDEN_SIZE = 3584;

/** Control tokens of Qwen's omni models. */
export interface OmniTokens {
  placeholders: Record<Modality, PlaceholderTokens>;
  audioStartId: number;
  audioEndId: number;
}

interface InterleavingRule {
  /** Positions of one second on the time axis. */
  positionsPerSecond: number;
  /** Positions of one chunk of interleaved video and sound. */
  positionsPerChunk: number;
  mergeSize: number;
}

/** Qwen2.5-Omni's thinker: pictures, clips, sounds, and clips interleaved with their own sound. */
export function createQwen25OmniProcessor(
  family: string,
  files: CheckpointFiles,
  addon: NativeAddon,
): Processor {
  const thinker = objectAt(files.config, 'thinker_config') ?? files.config;
  const imageRules = readVisionRules(files.imageProcessor, 'preprocessor_config.json');
  const videoRules = readVisionRules(files.videoProcessor, 'video_preprocessor_config.json');
  const numMelBins = readNumMelBins(files, thinker);
  const tokens = readTokens(files, thinker);
  const rule = readInterleavingRule(thinker, videoRules.mergeSize);

  const processAudio = async (audio: DecodedAudio): Promise<ProcessedItem> => {
    const media = await whisperFeatures(addon, audio, numMelBins);
    const numTokens = numPooledAudioTokens(media.numRows);
    return { modality: 'audio', media, numTokens, sizeBytes: media.sizeBytes };
  };
  const processClip = async (video: DecodedVideo, options: JsonObject): Promise<ProcessedItem> => {
    const item = await processVideo(addon, video, withRequestedLimits(videoRules, options));
    return withOwnSound(item, video, processAudio);
  };

  return {
    family,
    modalities: ['image', 'video', 'audio'],
    placeholders: tokens.placeholders,
    samplingRate: WHISPER_SAMPLING_RATE,
    videoSampling: readVideoSampling(files.videoProcessor, videoRules.temporalPatchSize),
    frameResizer: (size, numFrames, options) =>
      createFrameResizer(addon, size, withRequestedLimits(videoRules, options), numFrames),
    async process(media, options) {
      if (media.kind === 'image') return processImage(addon, media, withRequestedLimits(imageRules, options));
      return media.kind === 'video' ? processClip(media, options) : processAudio(media);
    },
    processEmbeddings(modality, tensors) {
      const width = readHiddenSize(thinker, DEFAULT_HIDDEN_SIZE);
      if (modality === 'audio')
        return processAudioEmbeddings(addon, tensors, { width }, numPooledAudioTokens);
      const { mergeSize } = modality === 'image' ? imageRules : videoRules;
      return processVisionEmbeddings(addon, modality, tensors, { width, mergeSize });
    },
    expand: (tokenIds, items) =>
      expandPlaceholders(tokenIds, items, tokens.placeholders, createItemWriter(tokens, rule)),
  };
}

function readNumMelBins(files: CheckpointFiles, thinker: JsonObject): number {
  const audioConfig = objectAt(thinker, 'audio_config') ?? {};
  return numberAt(audioConfig, 'num_mel_bins') ?? numberAt(files.featureExtractor, 'feature_size') ?? 128;
}

/** Usual texts of the control tokens. */
export type OmniTokenTexts = Record<
  'vision_start' | 'vision_end' | 'audio_start' | 'audio_end' | Modality,
  string
>;

const TOKEN_TEXTS: OmniTokenTexts = {
  vision_start: '<|vision_bos|>',
  vision_end: '<|vision_eos|>',
  audio_start: '<|audio_bos|>',
  audio_end: '<|audio_eos|>',
  image: '<|IMAGE|>',
  video: '<|VIDEO|>',
  audio: '<|AUDIO|>',
};

/** Throws `invalid_checkpoint` where the checkpoint names one nowhere. */
export function readTokens(
  files: CheckpointFiles,
  thinker: JsonObject,
  texts: OmniTokenTexts = TOKEN_TEXTS,
): OmniTokens {
  const token = (name: keyof OmniTokenTexts): { id: number; text: string } =>
    specialToken(files, thinker, [`${name}_token_id`, `${name}_token_index`], texts[name]);
  const vision = { start: token('vision_start'), end: token('vision_end') };
  const sound = { start: token('audio_start'), end: token('audio_end') };
  const placeholder = (name: Modality, { start, end }: typeof vision): PlaceholderTokens => {
    const { id, text: own } = token(name);
    return { token: own, tokenId: id, spelling: start.text + own + end.text };
  };
  return {
    placeholders: {
      image: placeholder('image', vision),
      video: placeholder('video', vision),
      audio: placeholder('audio', sound),
    },
    audioStartId: sound.start.id,
    audioEndId: sound.end.id,
  };
}

function readInterleavingRule(thinker: JsonObject, mergeSize: number): InterleavingRule {
  const positionsPerSecond = numberAt(thinker, 'position_id_per_seconds') ?? 25;
  const secondsPerChunk = numberAt(thinker, 'seconds_per_chunk') ?? 2;
  return {
    positionsPerSecond,
    positionsPerChunk: Math.trunc(positionsPerSecond * secondsPerChunk),
    mergeSize,
  };
}

/** Tokens of a clip and of its sound that follow each other, in turns. */
export type Turn = [numVideoTokens: number, numAudioTokens: number];

/** Chunks of both by turns. */
function createItemWriter(tokens: OmniTokens, rule: InterleavingRule): ItemWriter {
  return interleavingWriter(tokens, (item, audio) => {
    const videoCounts = countByChunk(videoPositions(item, rule), rule.positionsPerChunk);
    const audioCounts = countByChunk(audioPositions(audio), rule.positionsPerChunk);
    const numChunks = Math.max(videoCounts.length, audioCounts.length);
    return Array.from({ length: numChunks }, (_, i): Turn => [videoCounts[i] ?? 0, audioCounts[i] ?? 0]);
  });
}

/** A clip with sound takes its audio_bos, both by `turnsOf`, and audio_eos; everything else is one run. */
export function interleavingWriter(
  tokens: OmniTokens,
  turnsOf: (video: KeyedItem, audio: KeyedItem) => Turn[],
): ItemWriter {
  return (builder, item, placeholder, tokenIds, index) => {
    if (item.audio === undefined) return writeOneRun(builder, item, placeholder, tokenIds, index);
    // A hand-written prompt may spell the sound's own placeholder and its borders already.
    const audioTokenId = tokens.placeholders.audio.tokenId;
    const isSpelledOut =
      builder.tokenIds.at(-1) === tokens.audioStartId && tokenIds[index + 1] === audioTokenId;
    if (!isSpelledOut) builder.add(tokens.audioStartId);
    const audio: KeyedItem = { ...item.audio, key: `${item.key}/audio` };
    const video = builder.addItem(item, true);
    const sound = builder.addItem(audio);
    for (const [numVideoTokens, numAudioTokens] of turnsOf(item, audio)) {
      video.addRun(placeholder.tokenId, numVideoTokens);
      sound.addRun(audioTokenId, numAudioTokens);
    }
    if (!isSpelledOut) builder.add(tokens.audioEndId);
    return isSpelledOut ? 2 : 1;
  };
}

/** Time positions of a clip's tokens: all cells of one temporal patch share one. */
function* videoPositions(item: KeyedItem, rule: InterleavingRule): Generator<number> {
  const [numSteps, height, width] = item.media.grid;
  const cellsPerStep = (height * width) / (rule.mergeSize * rule.mergeSize);
  for (let step = 0; step < numSteps; step++) {
    // In the order of Hugging Face's processor: other roundings would put a patch at a chunk's bound into the chunk before.
    const position = step * (item.secondsPerGrid ?? 1) * rule.positionsPerSecond;
    for (let cell = 0; cell < cellsPerStep; cell++) yield position;
  }
}

/** A sound token is one position. */
function* audioPositions(audio: KeyedItem): Generator<number> {
  for (let position = 0; position < audio.numTokens; position++) yield position;
}

/** Tokens in each chunk. A position beyond the running chunk's end opens the next chunk, and only that one. */
function countByChunk(positions: Iterable<number>, positionsPerChunk: number): number[] {
  const counts = [0];
  for (const position of positions) {
    if (position >= counts.length * positionsPerChunk) counts.push(0);
    counts[counts.length - 1] = (counts.at(-1) as number) + 1;
  }
  return counts;
}
