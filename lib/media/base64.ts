import { nextTurn } from './failure.js';

/** Base64 characters decoded in one turn of the event loop; a multiple of four. */
const CHARACTERS_PER_TURN = 256 * 1024;

/** The errors of one kind of data. */
export interface Base64Failures {
  notBase64(): Error;
  tooLarge(): Error;
}

function countPadding(text: string): number {
  if (text.length % 4 !== 0) return 0;
  if (text.endsWith('==')) return 2;
  return text.endsWith('=') ? 1 : 0;
}

/** Bytes that `text` stands for, where it is base64. */
export function base64Bytes(text: string): number {
  return Math.floor(((text.length - countPadding(text)) * 3) / 4);
}

/**
 * Strict base64 (standard alphabet, optional padding, no white space), decoded in pieces so that the event loop turns.
 * Throws before anything is allocated where it stands for more than `maxBytes`.
 */
export async function decodeStrictBase64(
  text: string,
  maxBytes: number,
  failures: Base64Failures,
): Promise<Buffer> {
  const numCharacters = text.length - countPadding(text);
  const numBytes = base64Bytes(text);
  if (numBytes > maxBytes) throw failures.tooLarge();
  if (numCharacters % 4 === 1) throw failures.notBase64();
  const bytes = Buffer.allocUnsafeSlow(numBytes);
  for (let start = 0, offset = 0; start < numCharacters; start += CHARACTERS_PER_TURN) {
    const piece = text.slice(start, Math.min(numCharacters, start + CHARACTERS_PER_TURN));
    // The decoder skips what it does not know and also takes the URL alphabet: both show here.
    const written = bytes.write(piece, offset, 'base64');
    const isStandard = !piece.includes('-') && !piece.includes('_');
    if (written !== Math.floor((piece.length * 3) / 4) || !isStandard) throw failures.notBase64();
    offset += written;
    if (start + CHARACTERS_PER_TURN < numCharacters) await nextTurn();
  }
  return bytes;
}
