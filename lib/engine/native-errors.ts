import { SensoriumError, type ErrorCode } from '../errors.js';
import type { NativeErrorCode } from '../native/addon.js';

const CODE_OF_NATIVE: Record<NativeErrorCode, ErrorCode> = {
  invalid_argument: 'invalid_value',
  invalid_checkpoint: 'invalid_checkpoint',
  unsupported_architecture: 'unsupported_architecture',
  invalid_media: 'invalid_value',
  out_of_memory: 'out_of_memory',
  unavailable: 'engine_unavailable',
  internal: 'internal_error',
};

const isNativeCode = (code: unknown): code is NativeErrorCode =>
  typeof code === 'string' && code in CODE_OF_NATIVE;

export function errorOfNativeCode(code: NativeErrorCode | undefined, message: string): SensoriumError {
  return new SensoriumError(CODE_OF_NATIVE[code ?? 'internal'], message || 'The engine failed.');
}

/** What the addon threw, as a SensoriumError. `codes` replaces the usual code where a call gives it another meaning. */
export function fromNativeError(
  error: unknown,
  codes: Partial<Record<NativeErrorCode, ErrorCode>> = {},
): SensoriumError {
  if (error instanceof SensoriumError) return error;
  if (error instanceof Error && 'code' in error && isNativeCode(error.code)) {
    const code = codes[error.code] ?? CODE_OF_NATIVE[error.code];
    return new SensoriumError(code, error.message, { cause: error });
  }
  return new SensoriumError('internal_error', 'The native core failed unexpectedly.', { cause: error });
}
