import { SensoriumError } from '../errors.js';

/** Deepest nesting, and most containers and values, of a request body. JSON.parse blocks the event loop in proportion to them. */
export const MAX_JSON_DEPTH = 128;
export const MAX_JSON_CONTAINERS = 2 ** 17;
export const MAX_JSON_VALUES = 2 ** 20;

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const COMMA = 0x2c;
const OPENING = [0x7b, 0x5b];
const CLOSING = [0x7d, 0x5d];

/** By byte: 1 where it means something outside of strings. */
const IS_STRUCTURAL = new Uint8Array(256);
for (const byte of [QUOTE, COMMA, ...OPENING, ...CLOSING]) IS_STRUCTURAL[byte] = 1;

/** Index of the quote that ends the string begun before `from`; the length where none does. */
function endOfString(bytes: Buffer, from: number): number {
  for (let at = bytes.indexOf(QUOTE, from); at >= 0; at = bytes.indexOf(QUOTE, at + 1)) {
    let numBackslashes = 0;
    while (at - 1 - numBackslashes >= from && bytes[at - 1 - numBackslashes] === BACKSLASH) numBackslashes++;
    if (numBackslashes % 2 === 0) return at;
  }
  return bytes.length;
}

/** Refuses JSON whose shape alone would be costly to parse. Strings, however long, are skipped over at memory speed. */
export function checkJsonBounds(bytes: Buffer): void {
  let depth = 0;
  let numContainers = 0;
  let numValues = 0;
  for (let at = 0; at < bytes.length; at++) {
    const byte = bytes[at]!;
    if (IS_STRUCTURAL[byte] === 0) continue;
    if (byte === QUOTE) at = endOfString(bytes, at + 1);
    else if (byte === COMMA) numValues++;
    else if (OPENING.includes(byte)) {
      depth++;
      numContainers++;
    } else depth--;
    if (depth > MAX_JSON_DEPTH) throw refused(`nested deeper than ${MAX_JSON_DEPTH}`);
    if (numContainers > MAX_JSON_CONTAINERS)
      throw refused(`of more than ${MAX_JSON_CONTAINERS} lists and objects`);
    if (numValues > MAX_JSON_VALUES) throw refused(`of more than ${MAX_JSON_VALUES} values`);
  }
}

const refused = (what: string): SensoriumError =>
  new SensoriumError('invalid_json', `The body is JSON ${what}.`);
