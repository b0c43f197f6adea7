import { SensoriumError } from '../errors.js';
import type { DecodedAudio } from '../media/types.js';
import type { NativeAddon } from '../native/addon.js';
import { numberAt, type CheckpointFiles } from './checkpoint-files.js';
import { expandPlaceholders, writeOneRun } from './expand.js';
import { withNativeErrors } from './native-error.js';
import type { Processor, SpeechFeatures, SpeechProcessor } from './types.js';
import { HOP_LENGTH, melBinsOf, WHISPER_SAMPLING_RATE, whisperSamples } from './whisper-features.js';

/** Whisper: speech in windows of 30 s. Its prompts hold no media. */
export function createWhisperProcessor(
  family: string,
  files: CheckpointFiles,
  addon: NativeAddon,
): Processor {
  return {
    family,
    modalities: ['audio'],
    placeholders: {},
    samplingRate: WHISPER_SAMPLING_RATE,
    videoSampling: { fps: 2, minFrames: 4, maxFrames: 768, frameFactor: 2 },
    speech: createSpeechProcessor(files, addon),
    process: () => Promise.reject(refused()),
    processEmbeddings: () => {
      throw refused();
    },
    expand: (tokenIds, items) => expandPlaceholders(tokenIds, items, {}, writeOneRun),
  };
}

function createSpeechProcessor({ config, ...files }: CheckpointFiles, addon: NativeAddon): SpeechProcessor {
  const numMelBins = melBinsOf(config, { config, ...files }, 80);
  const windowFrames = 2 * (numberAt(config, 'max_source_positions') ?? 1500);

  /** Short sounds are padded with silence to a window; of longer ones the end is reflected. */
  const analyse = async (sound: DecodedAudio): Promise<SpeechFeatures> => {
    const samples = await whisperSamples(addon, sound);
    const windowSamples = windowFrames * HOP_LENGTH;
    const padding =
      samples.length <= windowSamples
        ? { isPaddedWithSilence: true, paddedSamples: windowSamples }
        : { isPaddedWithSilence: false };
    const media = await withNativeErrors('audio', () => addon.logMel(samples, { numMelBins, ...padding }));
    const numSoundFrames = Math.min(media.numRows, Math.ceil(samples.length / HOP_LENGTH));
    return { media, numSoundFrames, numFrames: media.numRows };
  };

  return {
    windowFrames,
    secondsPerFrame: HOP_LENGTH / WHISPER_SAMPLING_RATE,
    analyse,
    window({ media, numFrames }, begin) {
      const isWhole = begin === 0 && numFrames === windowFrames;
      const window = isWhole
        ? media
        : addon.soundWindow(media, begin, Math.min(windowFrames, numFrames - begin), windowFrames);
      return { modality: 'audio', media: window, numTokens: 0, sizeBytes: window.sizeBytes };
    },
  };
}

const refused = (): SensoriumError =>
  new SensoriumError('unsupported_task', 'This model writes down speech and takes no media in prompts.');
