/** Why decoding sound stopped; a code rather than an error so that it crosses a worker's boundary. */
export type SoundFault =
  | 'too_long'
  | 'too_large'
  | 'not_finite'
  | 'not_numbers'
  | 'uneven'
  | 'rate'
  | 'channels'
  | 'empty'
  | 'broken'
  | 'kind';

export class SoundError extends Error {
  constructor(readonly fault: SoundFault) {
    super(fault);
  }
}

export const MIN_SAMPLING_RATE = 1_000;
export const MAX_SAMPLING_RATE = 384_000;
export const MAX_CHANNELS = 32;

/** The most that a sound may be: seconds, and bytes of its mono samples. */
export interface SoundLimits {
  maxSeconds: number;
  maxBytes: number;
}

/** Throws SoundError where `numSamples` mono samples are too many. */
export function checkSoundLength(numSamples: number, samplingRate: number, limits: SoundLimits): void {
  if (numSamples > limits.maxSeconds * samplingRate) throw new SoundError('too_long');
  if (numSamples * Float32Array.BYTES_PER_ELEMENT > limits.maxBytes) throw new SoundError('too_large');
}

/** Checks what a header claims. Throws SoundError. */
export function checkSoundShape(samplingRate: number, numChannels: number): void {
  const isRate = samplingRate >= MIN_SAMPLING_RATE && samplingRate <= MAX_SAMPLING_RATE;
  if (!isRate || !Number.isInteger(samplingRate)) throw new SoundError('rate');
  if (!(numChannels >= 1 && numChannels <= MAX_CHANNELS)) throw new SoundError('channels');
}

/** Collects mono samples (the mean of the channels) up to a limit. */
export class MonoSink {
  private samples = new Float32Array(0);
  private length = 0;

  constructor(
    readonly samplingRate: number,
    readonly numChannels: number,
    private readonly limits: SoundLimits,
  ) {
    checkSoundShape(samplingRate, numChannels);
  }

  /** Appends `count` frames; `at(channel, index)` gives a sample. Throws SoundError. */
  append(count: number, at: (channel: number, index: number) => number): void {
    this.reserve(count);
    for (let i = 0; i < count; i++) {
      let sum = 0;
      for (let channel = 0; channel < this.numChannels; channel++) sum += at(channel, i);
      // A finite double may be beyond what a float holds.
      const mean = Math.fround(sum / this.numChannels);
      if (!Number.isFinite(mean)) throw new SoundError('not_finite');
      this.samples[this.length + i] = mean;
    }
    this.length += count;
  }

  /** All samples. Throws SoundError where there are none. */
  finish(): Float32Array<ArrayBuffer> {
    if (this.length === 0) throw new SoundError('empty');
    return this.samples.slice(0, this.length);
  }

  private reserve(count: number): void {
    const needed = this.length + count;
    checkSoundLength(needed, this.samplingRate, this.limits);
    if (needed <= this.samples.length) return;
    const most = Math.floor(this.limits.maxSeconds * this.samplingRate);
    const larger = new Float32Array(Math.max(needed, Math.min(most, this.samples.length * 2)));
    larger.set(this.samples.subarray(0, this.length));
    this.samples = larger;
  }
}
