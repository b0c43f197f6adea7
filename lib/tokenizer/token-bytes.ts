import { SensoriumError } from '../errors.js';

/** The bytes that one token of the vocabulary stands for. */
export type TokenToBytes = (token: string) => Uint8Array;

const encoder = new TextEncoder();

/** GPT-2's alphabet: every byte as a printable character. Printable Latin-1 bytes stand for themselves. */
function byteAlphabet(): Map<number, number> {
  const isPrintable = (byte: number): boolean =>
    (byte >= 0x21 && byte <= 0x7e) || (byte >= 0xa1 && byte <= 0xac) || byte >= 0xae;
  const byteOfUnit = new Map<number, number>();
  let numShifted = 0;
  for (let byte = 0; byte < 256; byte++) {
    byteOfUnit.set(isPrintable(byte) ? byte : 256 + numShifted++, byte);
  }
  return byteOfUnit;
}

const BYTE_OF_UNIT = byteAlphabet();

function byteLevelBytes(token: string): Uint8Array {
  const bytes = new Uint8Array(token.length);
  for (let i = 0; i < token.length; i++) {
    const byte = BYTE_OF_UNIT.get(token.charCodeAt(i));
    if (byte === undefined) return encoder.encode(token);
    bytes[i] = byte;
  }
  return bytes;
}

const SINGLE_BYTE = /^<0x([0-9A-Fa-f]{2})>$/;

/** SentencePiece spelling: `▁` is a blank, `<0x0A>` one byte. */
function sentencePieceBytes(token: string): Uint8Array {
  const hex = SINGLE_BYTE.exec(token)?.[1];
  if (hex !== undefined) return Uint8Array.of(Number.parseInt(hex, 16));
  return encoder.encode(token.replaceAll('\u2581', ' '));
}

interface DecoderConfig {
  type?: unknown;
  decoders?: unknown;
}

function decoderTypes(decoder: unknown): string[] {
  if (typeof decoder !== 'object' || decoder === null) return [];
  const { type, decoders } = decoder as DecoderConfig;
  const own = typeof type === 'string' ? [type] : [];
  return Array.isArray(decoders) ? own.concat(decoders.flatMap(decoderTypes)) : own;
}

/** How to read the tokens of a vocabulary. */
export interface TokenDecoding {
  /** Gives bytes token by token, whatever stands before. */
  toBytes: TokenToBytes;
  stripsFirstBlank: boolean;
  /** Whether a token stands for one byte of a character that the vocabulary lacks. */
  isByteFallback: (token: string) => boolean;
}

/** From tokenizer.json's `decoder`. */
export function tokenBytesOf(decoder: unknown): TokenDecoding {
  const types = decoderTypes(decoder);
  if (types.includes('ByteLevel'))
    return { toBytes: byteLevelBytes, stripsFirstBlank: false, isByteFallback: () => false };
  if (types.includes('ByteFallback') || types.includes('Metaspace')) {
    return {
      toBytes: sentencePieceBytes,
      stripsFirstBlank: types.includes('Strip') || types.includes('Metaspace'),
      isByteFallback: (token) => types.includes('ByteFallback') && SINGLE_BYTE.test(token),
    };
  }
  throw new SensoriumError(
    'invalid_checkpoint',
    `tokenizer.json: decoder '${types[0] ?? 'none'}' is not supported; ByteLevel, ByteFallback and Metaspace are.`,
  );
}
