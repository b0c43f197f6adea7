import { SensoriumError } from '../errors.js';

/** Characters of a uuid or a cache salt. */
export const MAX_ID_LENGTH = 256;

/** Half of a surrogate pair. Encoded as UTF-8 all of them are one character, so that different ids would be the same. */
const LONE_SURROGATE = /\p{Surrogate}/u;

/** Holds a client's id to 1 to 256 characters of well-formed Unicode. Throws `invalid_value` naming `param`. */
export function checkId(id: string, param: string): string {
  // No text of so many UTF-16 units has few enough characters.
  const isLong = id.length > 2 * MAX_ID_LENGTH || [...id].length > MAX_ID_LENGTH;
  if (id === '' || isLong) {
    const message = `${param} must have 1 to ${MAX_ID_LENGTH} characters.`;
    throw new SensoriumError('invalid_value', message, { param });
  }
  if (LONE_SURROGATE.test(id)) {
    throw new SensoriumError('invalid_value', `${param} holds half a surrogate pair.`, { param });
  }
  return id;
}
