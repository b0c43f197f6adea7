import { SensoriumError, type ErrorCode } from '../errors.js';
import type { Modality } from './types.js';

const INVALID_CODE: Record<Modality, ErrorCode> = {
  image: 'invalid_image',
  video: 'invalid_video',
  audio: 'invalid_audio',
};

/** The "these bytes are broken" error of a modality. `reason` must not carry a decoder's own text. */
export function invalidMedia(modality: Modality, reason: string, cause?: unknown): SensoriumError {
  return new SensoriumError(INVALID_CODE[modality], `The ${modality} ${reason}.`, { cause });
}

export function tooLarge(modality: Modality, reason: string): SensoriumError {
  return new SensoriumError('media_too_large', `The ${modality} ${reason}.`);
}

export function formatRefused(modality: Modality, format: string): SensoriumError {
  return new SensoriumError('media_format_refused', `${format} is not accepted as ${modality}.`);
}

/** Throws what the signal was aborted with: a SensoriumError as it is, anything else as `request_cancelled`. */
export function throwIfAborted(signal: AbortSignal | undefined): void {
  if (signal?.aborted) throw abortReason(signal);
}

export function abortReason(signal: AbortSignal): SensoriumError {
  if (signal.reason instanceof SensoriumError) return signal.reason;
  return new SensoriumError('request_cancelled', 'The request was cancelled.');
}

/** Lets the event loop turn once between pieces of long work. */
export function nextTurn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
