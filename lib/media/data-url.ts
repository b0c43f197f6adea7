import { SensoriumError } from '../errors.js';
import { nextTurn, tooLarge } from './failure.js';
import type { Modality } from './types.js';

/** Base64 characters decoded in one turn of the event loop; a multiple of four. */
const CHARACTERS_PER_TURN = 256 * 1024;
const ESCAPED_BYTES_PER_TURN = 64 * 1024;
const PERCENT = 0x25;

export interface DataUrl {
  /** Lower case, without parameters; empty where the URL names none. */
  mediaType: string;
  isBase64: boolean;
  /** Index of the first payload character. */
  payloadStart: number;
}

/** Reads the header of a `data:` URL. Throws `invalid_url`. */
export function parseDataUrlHeader(text: string): DataUrl {
  // A header longer than this is not a header: the payload is never searched through.
  const comma = text.slice(0, 1024).indexOf(',');
  if (comma < 0) throw new SensoriumError('invalid_url', 'The data URL has no comma before its data.');
  const [mediaType = '', ...parameters] = text.slice('data:'.length, comma).split(';');
  const last = parameters.at(-1)?.trim().toLowerCase();
  return { mediaType: mediaType.trim().toLowerCase(), isBase64: last === 'base64', payloadStart: comma + 1 };
}

/** The bytes of a `data:` URL of at most `maxBytes`. Throws `invalid_url`, `media_too_large`. */
export async function decodeDataUrl(text: string, modality: Modality, maxBytes: number): Promise<Buffer> {
  const header = parseDataUrlHeader(text);
  const payload = text.slice(header.payloadStart);
  return header.isBase64
    ? await decodeBase64(payload, modality, maxBytes)
    : await decodePercent(payload, modality, maxBytes);
}

/**
 * Strict base64 (standard alphabet, optional padding, no white space), decoded in pieces so that the event loop turns.
 * Throws `invalid_url`, and `media_too_large` before anything is allocated.
 */
export async function decodeBase64(text: string, modality: Modality, maxBytes: number): Promise<Buffer> {
  const encoded = text.includes('%') ? await unescapeBase64(text, modality, maxBytes) : text;
  const numCharacters = encoded.length - countPadding(encoded);
  const numBytes = Math.floor((numCharacters * 3) / 4);
  if (numBytes > maxBytes) throw overCap(modality, maxBytes);
  if (numCharacters % 4 === 1) throw notBase64(modality);
  const bytes = Buffer.allocUnsafeSlow(numBytes);
  for (let start = 0, offset = 0; start < numCharacters; start += CHARACTERS_PER_TURN) {
    const piece = encoded.slice(start, Math.min(numCharacters, start + CHARACTERS_PER_TURN));
    // The decoder skips what it does not know and also takes the URL alphabet: both show here.
    const written = bytes.write(piece, offset, 'base64');
    const isStandard = !piece.includes('-') && !piece.includes('_');
    if (written !== Math.floor((piece.length * 3) / 4) || !isStandard) throw notBase64(modality);
    offset += written;
    if (start + CHARACTERS_PER_TURN < numCharacters) await nextTurn();
  }
  return bytes;
}

function countPadding(text: string): number {
  if (text.length % 4 !== 0) return 0;
  if (text.endsWith('==')) return 2;
  return text.endsWith('=') ? 1 : 0;
}

async function unescapeBase64(text: string, modality: Modality, maxBytes: number): Promise<string> {
  // An escape is three characters for one and base64 four for three, so this bounds the work before it is done.
  if (text.length > maxBytes * 4 + 16) throw overCap(modality, maxBytes);
  return (await decodePercent(text, modality, text.length)).toString('latin1');
}

async function decodePercent(text: string, modality: Modality, maxBytes: number): Promise<Buffer> {
  if (text.length > maxBytes * 3) throw overCap(modality, maxBytes);
  const source = Buffer.from(text, 'utf8');
  const bytes = Buffer.allocUnsafeSlow(source.length);
  let length = 0;
  for (let i = 0; i < source.length; i++) {
    const escaped = source[i] === PERCENT ? readHexPair(source, i + 1) : undefined;
    bytes[length++] = escaped ?? (source[i] as number);
    if (escaped !== undefined) i += 2;
    if (length % ESCAPED_BYTES_PER_TURN === 0) await nextTurn();
  }
  if (length > maxBytes) throw overCap(modality, maxBytes);
  return bytes.subarray(0, length);
}

function readHexPair(source: Buffer, offset: number): number | undefined {
  const pair = source.toString('latin1', offset, offset + 2);
  return /^[0-9a-fA-F]{2}$/.test(pair) ? parseInt(pair, 16) : undefined;
}

function notBase64(modality: Modality): SensoriumError {
  return new SensoriumError('invalid_url', `The data of the ${modality} is not valid base64.`);
}

function overCap(modality: Modality, maxBytes: number): SensoriumError {
  return tooLarge(modality, `is larger than the limit of ${maxBytes} bytes`);
}
