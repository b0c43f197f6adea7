import { SensoriumError } from '../errors.js';
import type { DecodedAudio } from '../media/types.js';
import type { NativeAddon, NativeMedia } from '../native/addon.js';
import { withNativeErrors } from './native-error.js';

export const WHISPER_SAMPLING_RATE = 16_000;

/** Log-mel frames of a sound at any rate, as if followed by silence. Throws `invalid_audio`. */
export async function whisperFeatures(
  addon: NativeAddon,
  audio: DecodedAudio,
  numMelBins: number,
): Promise<NativeMedia> {
  return await withNativeErrors('audio', async () => {
    const samples =
      audio.samplingRate === WHISPER_SAMPLING_RATE
        ? audio.samples
        : await addon.resample(audio.samples, 1, audio.samplingRate, WHISPER_SAMPLING_RATE);
    return await addon.logMel(samples, { numMelBins, isPaddedWithSilence: true });
  });
}

/** Rows after the stride-2 convolution and the pooling by two of Qwen's audio towers. Throws `invalid_audio` when none. */
export function numPooledAudioTokens(numMelFrames: number): number {
  const afterConvolution = Math.floor((numMelFrames - 1) / 2) + 1;
  const numTokens = Math.floor((afterConvolution - 2) / 2) + 1;
  if (numTokens < 1)
    throw new SensoriumError('invalid_audio', 'The audio is too short to hear anything in it.');
  return numTokens;
}
