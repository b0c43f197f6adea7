import { SensoriumError, type ErrorCode } from '../errors.js';
import type { Modality } from '../media/types.js';
import type { NativeError, NativeErrorCode } from '../native/addon.js';

const INVALID: Record<Modality, ErrorCode> = {
  image: 'invalid_image',
  video: 'invalid_video',
  audio: 'invalid_audio',
};

/** Errors of the native preprocessing as public ones of the medium's class. */
export async function withNativeErrors<T>(modality: Modality, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    throw translate(modality, error);
  }
}

/** The same for work that is done at once. */
export function withNativeErrorsNow<T>(modality: Modality, work: () => T): T {
  try {
    return work();
  } catch (error) {
    throw translate(modality, error);
  }
}

function translate(modality: Modality, error: unknown): unknown {
  if (error instanceof SensoriumError || !(error instanceof Error)) return error;
  const code = (error as NativeError).code as NativeErrorCode | undefined;
  if (code === 'invalid_media') {
    return new SensoriumError(INVALID[modality], `The ${modality} cannot be used: ${error.message}`, {
      cause: error,
    });
  }
  if (code === 'out_of_memory') {
    return new SensoriumError('out_of_memory', `There is not enough memory for the ${modality}.`, {
      cause: error,
    });
  }
  return error;
}
