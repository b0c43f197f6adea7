import { SensoriumError } from '../errors.js';

/** `reason` completes "The tensor ...". */
export function invalidTensor(reason: string, cause?: unknown): SensoriumError {
  return new SensoriumError('invalid_embedding', `The tensor ${reason}.`, { cause });
}
