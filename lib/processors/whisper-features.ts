import { SensoriumError } from '../errors.js';
import type { DecodedAudio } from '../media/types.js';
import type { NativeAddon, NativeMedia } from '../native/addon.js';
import { numberAt, type CheckpointFiles, type JsonObject } from './checkpoint-files.js';
import { withNativeErrors } from './native-error.js';

export const WHISPER_SAMPLING_RATE = 16_000;
/** Samples of one mel frame. */
export const HOP_LENGTH = 160;

/** A sound's samples at Whisper's rate. Throws `invalid_audio`. */
export async function whisperSamples(addon: NativeAddon, audio: DecodedAudio): Promise<Float32Array> {
  const { samples, samplingRate } = audio;
  if (samplingRate === WHISPER_SAMPLING_RATE) return samples;
  return await withNativeErrors('audio', () =>
    addon.resample(samples, 1, samplingRate, WHISPER_SAMPLING_RATE),
  );
}

/** Log-mel frames of a sound at any rate, as if followed by silence. Throws `invalid_audio`. */
export async function whisperFeatures(
  addon: NativeAddon,
  audio: DecodedAudio,
  numMelBins: number,
): Promise<NativeMedia> {
  const samples = await whisperSamples(addon, audio);
  return await withNativeErrors('audio', () =>
    addon.logMel(samples, { numMelBins, isPaddedWithSilence: true }),
  );
}

/** Bins of a checkpoint's spectrograms: what the encoder was made for, else what the feature extractor says. */
export function melBinsOf(audioConfig: JsonObject, files: CheckpointFiles, fallback: number): number {
  return (
    numberAt(audioConfig, 'num_mel_bins') ?? numberAt(files.featureExtractor, 'feature_size') ?? fallback
  );
}

/** Rows after the stride-2 convolution and the pooling by two of Qwen's audio towers. Throws `invalid_audio` when none. */
export function numPooledAudioTokens(numMelFrames: number): number {
  const afterConvolution = Math.floor((numMelFrames - 1) / 2) + 1;
  const numTokens = Math.floor((afterConvolution - 2) / 2) + 1;
  if (numTokens < 1)
    throw new SensoriumError('invalid_audio', 'The audio is too short to hear anything in it.');
  return numTokens;
}
