import { nextTurn, throwIfAborted } from './failure.js';
import { checkSoundLength, checkSoundShape, SoundError } from './mono-sink.js';
import { soundFailure, soundLimitsOf } from './sound-failure.js';
import type { DecodedAudio, MediaPolicy, RawSamples, SampleArray } from './types.js';

const SAMPLES_PER_TURN = 128 * 1024;
const SAMPLE_ARRAYS = [Array, Float32Array, Float64Array, Int16Array, Int32Array];

/** What a sample is divided by to lie in [-1, 1]. */
function fullScale(data: SampleArray): number {
  if (data instanceof Int16Array) return 2 ** 15;
  return data instanceof Int32Array ? 2 ** 31 : 1;
}

/**
 * Samples that a caller holds, as mono: the mean of their channels. A rate that is absent is `nativeRate`, in Hz. Long
 * sounds leave the event loop free. Throws `invalid_audio`, `media_too_large`.
 */
export async function toMonoSound(
  sound: RawSamples,
  nativeRate: number,
  policy: MediaPolicy,
  signal?: AbortSignal,
): Promise<DecodedAudio> {
  const samplingRate = Math.round(sound.samplingRate ?? nativeRate);
  const limits = soundLimitsOf(policy);
  try {
    checkSoundShape(samplingRate, sound.numChannels);
    checkSoundLength(numSamplesOf(sound), samplingRate, limits);
    const samples = await mixToMono(sound, signal);
    return { kind: 'audio', samples, samplingRate };
  } catch (error) {
    throw error instanceof SoundError ? soundFailure(error.fault, limits) : error;
  }
}

/** Samples in one channel. */
export function numSamplesOf({ data, numChannels, layout }: RawSamples): number {
  if (layout === 'channels') return (data[0] as SampleArray | undefined)?.length ?? 0;
  return layout === 'frames' ? data.length : Math.floor(data.length / numChannels);
}

async function mixToMono(sound: RawSamples, signal: AbortSignal | undefined): Promise<Float32Array> {
  const numSamples = numSamplesOf(sound);
  if (numSamples === 0) throw new SoundError('empty');
  const isReady = sound.data instanceof Float32Array && sound.numChannels === 1;
  const mono = isReady ? (sound.data as Float32Array) : new Float32Array(numSamples);
  const mix = mixerOf(sound, numSamples);
  if (sound.layout === 'channels')
    checkRows(sound.data as readonly unknown[], 0, sound.numChannels, numSamples);
  const perTurn = Math.ceil(SAMPLES_PER_TURN / sound.numChannels);
  for (let start = 0; start < numSamples; start += perTurn) {
    if (start > 0) await nextTurn();
    throwIfAborted(signal);
    const end = Math.min(numSamples, start + perTurn);
    if (!isReady) mix(mono, start, end);
    for (let i = start; i < end; i++) if (!Number.isFinite(mono[i])) throw new SoundError('not_finite');
  }
  return mono;
}

/** Rows [start, end) must be samples, `numSamples` each. Throws SoundError. */
function checkRows(rows: readonly unknown[], start: number, end: number, numSamples: number): void {
  for (let i = start; i < end; i++) {
    const row = rows[i];
    if (!SAMPLE_ARRAYS.some((type) => row instanceof type)) throw new SoundError('not_numbers');
    if ((row as ArrayLike<unknown>).length !== numSamples) throw new SoundError('uneven');
  }
}

/** Writes the means of [start, end) to `mono`. */
type Mixer = (mono: Float32Array, start: number, end: number) => void;

function mixerOf({ data, numChannels, layout }: RawSamples, numSamples: number): Mixer {
  if (layout === 'channels' || layout === 'frames') {
    return rowMixer(data as readonly SampleArray[], numChannels, layout === 'channels');
  }
  const [channelStride, timeStride] = layout === 'planar' ? [numSamples, 1] : [1, numChannels];
  return flatMixer(data as SampleArray, numChannels, channelStride, timeStride);
}

function flatMixer(data: SampleArray, numChannels: number, channelStride: number, timeStride: number): Mixer {
  const divisor = numChannels * fullScale(data);
  return (mono, start, end) => {
    for (let i = start; i < end; i++) {
      let sum = 0;
      for (let c = 0; c < numChannels; c++) sum += numberAt(data, c * channelStride + i * timeStride);
      mono[i] = sum / divisor;
    }
  };
}

/** A sample of a list may be anything. */
function numberAt(data: SampleArray, index: number): number {
  const sample: unknown = data[index];
  if (typeof sample !== 'number') throw new SoundError('not_numbers');
  return sample;
}

/** `rows`: one for each channel, or one for each point in time. */
function rowMixer(rows: readonly SampleArray[], numChannels: number, isPlanar: boolean): Mixer {
  const divisor = numChannels * fullScale(rows[0] ?? []);
  return (mono, start, end) => {
    if (!isPlanar) checkRows(rows, start, end, numChannels);
    for (let i = start; i < end; i++) {
      let sum = 0;
      for (let c = 0; c < numChannels; c++) {
        sum += isPlanar ? numberAt(rows[c] as SampleArray, i) : numberAt(rows[i] as SampleArray, c);
      }
      mono[i] = sum / divisor;
    }
  };
}
