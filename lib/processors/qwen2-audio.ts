import { SensoriumError } from '../errors.js';
import type { DecodedAudio } from '../media/types.js';
import type { NativeAddon } from '../native/addon.js';
import { numberAt, objectAt, type CheckpointFiles } from './checkpoint-files.js';
import { processAudioEmbeddings, readHiddenSize } from './embeddings.js';
import { expandPlaceholders, type ItemWriter } from './expand.js';
import { withNativeErrors } from './native-error.js';
import { specialToken } from './special-tokens.js';
import type { ProcessedItem, Processor } from './types.js';
import {
  HOP_LENGTH,
  numPooledAudioTokens,
  melBinsOf,
  WHISPER_SAMPLING_RATE,
  whisperSamples,
} from './whisper-features.js';

/** Hidden size of Hugging Face's Qwen2Config, which text_config leaves out where it is the same. */
const DEFAULT_HIDDEN_SIZE = 4096;
/** Frames behind a sound that the two convolutions see. */
const NUM_FRAMES_SEEN_BEHIND = 2;

/** Qwen2-Audio: sounds of up to 30 s; what is longer is cut. */
export function createQwen2AudioProcessor(
  family: string,
  files: CheckpointFiles,
  addon: NativeAddon,
): Processor {
  const { config } = files;
  const numMelBins = melBinsOf(objectAt(config, 'audio_config') ?? {}, files, 128);
  const maxSamples = numberAt(files.featureExtractor, 'n_samples') ?? 30 * WHISPER_SAMPLING_RATE;
  const width = readHiddenSize(config, DEFAULT_HIDDEN_SIZE);
  const audio = specialToken(files, config, ['audio_token_index', 'audio_token_id'], '<|AUDIO|>');
  const start = specialToken(files, {}, ['audio_bos_token_id'], '<|audio_bos|>');
  const end = specialToken(files, {}, ['audio_eos_token_id'], '<|audio_eos|>');
  const spelling = `Audio {n}: ${start.text}${audio.text}${end.text}\n`;
  const placeholders = { audio: { token: audio.text, tokenId: audio.id, spelling, isInline: true } };

  const processAudio = async (sound: DecodedAudio): Promise<ProcessedItem> => {
    const samples = (await whisperSamples(addon, sound)).subarray(0, maxSamples);
    const numFrames = Math.ceil(samples.length / HOP_LENGTH);
    const numTokens = numPooledAudioTokens(numFrames);
    const media = await withNativeErrors('audio', () =>
      addon.logMel(samples, {
        numMelBins,
        isPaddedWithSilence: true,
        paddedSamples: maxSamples,
        maxFrames: numFrames + NUM_FRAMES_SEEN_BEHIND,
      }),
    );
    return { modality: 'audio', media, numTokens, sizeBytes: media.sizeBytes };
  };

  return {
    family,
    modalities: ['audio'],
    placeholders,
    samplingRate: WHISPER_SAMPLING_RATE,
    videoSampling: { fps: 2, minFrames: 4, maxFrames: 768, frameFactor: 2 },
    async process(media) {
      if (media.kind === 'audio') return processAudio(media);
      throw refused(media.kind);
    },
    processEmbeddings(modality, tensors) {
      if (modality === 'audio')
        return processAudioEmbeddings(addon, tensors, { width }, numPooledAudioTokens);
      throw refused(modality);
    },
    expand: (tokenIds, items) =>
      expandPlaceholders(tokenIds, items, placeholders, createItemWriter(start.id, end.id)),
  };
}

/** A placeholder that stands by itself gets the borders that newer prompts spell out. */
function createItemWriter(startId: number, endId: number): ItemWriter {
  return (builder, item, placeholder, tokenIds, index) => {
    const isBare = builder.tokenIds.at(-1) !== startId && tokenIds[index + 1] !== endId;
    if (isBare) builder.add(startId);
    builder.addItem(item).addRun(placeholder.tokenId, item.numTokens);
    if (isBare) builder.add(endId);
    return 1;
  };
}

const refused = (modality: string): SensoriumError =>
  new SensoriumError('unsupported_modality', `This model does not take ${modality} input.`);
