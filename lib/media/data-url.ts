import { SensoriumError } from '../errors.js';
import { decodeStrictBase64 } from './base64.js';
import { nextTurn, tooLarge } from './failure.js';
import type { Modality } from './types.js';

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

/** Strict base64, percent-escaped or not. Throws `invalid_url`, and `media_too_large` before anything is allocated. */
export async function decodeBase64(text: string, modality: Modality, maxBytes: number): Promise<Buffer> {
  const encoded = text.includes('%') ? await unescapeBase64(text, modality, maxBytes) : text;
  return await decodeStrictBase64(encoded, maxBytes, {
    notBase64: () => notBase64(modality),
    tooLarge: () => overCap(modality, maxBytes),
  });
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
