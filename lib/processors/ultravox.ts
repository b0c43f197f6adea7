import { SensoriumError } from '../errors.js';
import type { DecodedAudio } from '../media/types.js';
import type { NativeAddon } from '../native/addon.js';
import { numberAt, objectAt, type CheckpointFiles } from './checkpoint-files.js';
import { processAudioEmbeddings, readHiddenSize } from './embeddings.js';
import { expandPlaceholders } from './expand.js';
import { withNativeErrors } from './native-error.js';
import { specialToken } from './special-tokens.js';
import type { KeyedItem, ProcessedItem, Processor } from './types.js';
import { HOP_LENGTH, melBinsOf, WHISPER_SAMPLING_RATE, whisperSamples } from './whisper-features.js';

/** Shorter sounds are padded to two frames. */
const MIN_SAMPLES = 2 * HOP_LENGTH;
const PLACEHOLDER = '<|audio|>';
/** LlamaConfig's. */
const DEFAULT_HIDDEN_SIZE = 4096;
/** What stands in the prompt where the checkpoint names nothing. */
const DEFAULT_REPLACEMENT = '<|eot_id|>';

interface Rules {
  numMelBins: number;
  /** Mel frames of one window. */
  windowFrames: number;
  /** Mel frames of one token. */
  framesPerToken: number;
}

/** Ultravox: sounds of any length in windows of 30 s; the language model never sees their placeholders. */
export function createUltravoxProcessor(
  family: string,
  files: CheckpointFiles,
  addon: NativeAddon,
): Processor {
  const { config } = files;
  const rules = readRules(files);
  // The config's own hidden_size is the projector's.
  const width = readHiddenSize(files.companion ?? objectAt(config, 'text_config') ?? {}, DEFAULT_HIDDEN_SIZE);
  const placeholders = {
    audio: { token: PLACEHOLDER, tokenId: unusedId(files), spelling: PLACEHOLDER, isInline: true },
  };
  const { id: replacementId } = readReplacement(files);

  return {
    family,
    modalities: ['audio'],
    placeholders,
    samplingRate: WHISPER_SAMPLING_RATE,
    videoSampling: { fps: 2, minFrames: 4, maxFrames: 768, frameFactor: 2 },
    async process(media) {
      if (media.kind === 'audio') return processAudio(addon, media, rules);
      throw refused(media.kind);
    },
    processEmbeddings(modality, tensors) {
      if (modality === 'audio')
        return processAudioEmbeddings(addon, tensors, { width }, (numFrames) =>
          numTokensOf(numFrames, rules),
        );
      throw refused(modality);
    },
    expand: (tokenIds, items) =>
      expandPlaceholders(tokenIds, fitToLongest(addon, items), placeholders, (builder, item) => {
        builder.addItem(item).addRun(replacementId, item.numTokens);
        return 1;
      }),
  };
}

function readRules(files: CheckpointFiles): Rules {
  const audio = objectAt(files.config, 'audio_config') ?? {};
  return {
    numMelBins: melBinsOf(audio, files, 80),
    windowFrames: 2 * (numberAt(audio, 'max_source_positions') ?? 1500),
    framesPerToken: 2 * (numberAt(files.config, 'stack_factor') ?? 8),
  };
}

/** An id that no token of the vocabulary has. */
function unusedId({ config, specialTokens }: CheckpointFiles): number {
  return Math.max(numberAt(config, 'vocab_size') ?? 0, 2 ** 24, ...specialTokens.keys()) + 1;
}

function readReplacement(files: CheckpointFiles): { id: number } {
  const text = files.processor['audio_token_replacement'];
  return specialToken(
    files,
    {},
    ['audio_token_replacement'],
    typeof text === 'string' ? text : DEFAULT_REPLACEMENT,
  );
}

function numTokensOf(numFrames: number, { windowFrames, framesPerToken }: Rules): number {
  const numWindows = Math.floor(numFrames / windowFrames);
  const tokensOf = (frames: number): number => Math.ceil(frames / framesPerToken);
  return numWindows * tokensOf(windowFrames) + tokensOf(numFrames % windowFrames);
}

/** Whole hops of samples, at least two. */
function padSamples(samples: Float32Array): Float32Array {
  const numSamples = Math.ceil(Math.max(samples.length, MIN_SAMPLES) / HOP_LENGTH) * HOP_LENGTH;
  if (numSamples === samples.length) return samples;
  const padded = new Float32Array(numSamples);
  padded.set(samples);
  return padded;
}

async function processAudio(addon: NativeAddon, audio: DecodedAudio, rules: Rules): Promise<ProcessedItem> {
  const samples = padSamples(await whisperSamples(addon, audio));
  const { numMelBins, windowFrames, framesPerToken } = rules;
  const numFrames = samples.length / HOP_LENGTH;
  const lastWindow = Math.floor((numFrames - 1) / windowFrames) * windowFrames;
  // What the convolutions see of the silence behind the sound when they fill up its last token.
  const maxFrames = lastWindow + Math.ceil((numFrames - lastWindow) / framesPerToken) * framesPerToken + 1;
  const paddedSamples = (maxFrames + 2) * HOP_LENGTH;
  const [media, paddedMedia] = await withNativeErrors('audio', () =>
    Promise.all([
      addon.logMel(samples, { numMelBins, isPaddedWithSilence: false }),
      addon.logMel(samples, { numMelBins, isPaddedWithSilence: true, paddedSamples, maxFrames }),
    ]),
  );
  const sizeBytes = media.sizeBytes + paddedMedia.sizeBytes;
  return { modality: 'audio', media, paddedMedia, numTokens: numTokensOf(numFrames, rules), sizeBytes };
}

/** The sounds of a prompt are one batch: all are as long as the longest, with silence behind the shorter ones. */
function fitToLongest(addon: NativeAddon, items: readonly KeyedItem[]): KeyedItem[] {
  const longest = Math.max(...items.map((item) => (item.paddedMedia === undefined ? 0 : item.media.numRows)));
  return items.map((item) => {
    const { media, paddedMedia } = item;
    if (paddedMedia === undefined || media.numRows === longest) return item;
    const numFrames = Math.min(longest, paddedMedia.numRows);
    const isWhole = numFrames === paddedMedia.numRows;
    return {
      ...item,
      media: isWhole ? paddedMedia : addon.soundWindow(paddedMedia, 0, numFrames, numFrames),
      key: `${item.key}/${numFrames}`,
    };
  });
}

const refused = (modality: string): SensoriumError =>
  new SensoriumError('unsupported_modality', `This model does not take ${modality} input.`);
