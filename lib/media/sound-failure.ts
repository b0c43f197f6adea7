import type { SensoriumError } from '../errors.js';
import { invalidMedia, tooLarge } from './failure.js';
import {
  MAX_CHANNELS,
  MAX_SAMPLING_RATE,
  MIN_SAMPLING_RATE,
  type SoundFault,
  type SoundLimits,
} from './mono-sink.js';
import type { MediaPolicy } from './types.js';

const FAULT_REASONS: Record<Exclude<SoundFault, 'too_long' | 'too_large'>, string> = {
  not_finite: 'has samples that are not finite numbers',
  not_numbers: 'has samples that are no numbers',
  uneven: 'has channels of different lengths',
  rate: `has a sampling rate outside ${MIN_SAMPLING_RATE} to ${MAX_SAMPLING_RATE} Hz`,
  channels: `has a number of channels outside 1 to ${MAX_CHANNELS}`,
  empty: 'has no samples',
  broken: 'is damaged and cannot be decoded',
  kind: 'is a WAV file of a kind that is not supported',
};

/** The public error of a fault met while decoding sound. */
export function soundFailure(fault: SoundFault, { maxSeconds, maxBytes }: SoundLimits): SensoriumError {
  if (fault === 'too_long') return tooLarge('audio', `is longer than the limit of ${maxSeconds} seconds`);
  if (fault === 'too_large')
    return tooLarge('audio', `is larger than the limit of ${maxBytes} bytes when decoded`);
  return invalidMedia('audio', FAULT_REASONS[fault]);
}

export const soundLimitsOf = ({ maxAudioSeconds, maxAudioDecodedBytes }: MediaPolicy): SoundLimits => ({
  maxSeconds: maxAudioSeconds,
  maxBytes: maxAudioDecodedBytes,
});
