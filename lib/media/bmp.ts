import { invalidMedia, nextTurn } from './failure.js';
import type { DecodedImage } from './types.js';

/** Pixels converted in one turn of the event loop. */
const PIXELS_PER_TURN = 512 * 1024;
const BI_RGB = 0;
const BI_BITFIELDS = 3;

/** Header of a Windows bitmap (BITMAPINFOHEADER and its successors), uncompressed. */
export interface BmpHeader {
  width: number;
  height: number;
  isTopDown: boolean;
  bitsPerPixel: number;
  /** Byte offset of the pixel rows. */
  dataOffset: number;
  paletteOffset: number;
  numColors: number;
}

/** Reads and checks a header. Throws `invalid_image`. */
export function readBmpHeader(bytes: Buffer): BmpHeader {
  if (bytes.length < 54) throw invalidMedia('image', 'ends within its header');
  const headerSize = bytes.readUInt32LE(14);
  const signedHeight = bytes.readInt32LE(22);
  const bitsPerPixel = bytes.readUInt16LE(28);
  const compression = bytes.readUInt32LE(30);
  const header: BmpHeader = {
    width: bytes.readInt32LE(18),
    height: Math.abs(signedHeight),
    isTopDown: signedHeight < 0,
    bitsPerPixel,
    dataOffset: bytes.readUInt32LE(10),
    paletteOffset: 14 + headerSize,
    numColors:
      bitsPerPixel <= 8 ? Math.min(bytes.readUInt32LE(46) || 1 << bitsPerPixel, 1 << bitsPerPixel) : 0,
  };
  const isKnown = headerSize >= 40 && [1, 4, 8, 24, 32].includes(bitsPerPixel);
  const isStandardMask = compression === BI_BITFIELDS && bitsPerPixel === 32 && hasBgrMasks(bytes);
  if (!isKnown || (compression !== BI_RGB && !isStandardMask)) {
    throw invalidMedia('image', 'is a bitmap of a kind that is not supported');
  }
  if (header.width < 1 || header.height < 1) throw invalidMedia('image', 'has no pixels');
  return header;
}

function hasBgrMasks(bytes: Buffer): boolean {
  if (bytes.length < 66) return false;
  return (
    bytes.readUInt32LE(54) === 0xff0000 &&
    bytes.readUInt32LE(58) === 0xff00 &&
    bytes.readUInt32LE(62) === 0xff
  );
}

/** Pixels of an uncompressed bitmap; a fourth channel is ignored, as Pillow does. Throws `invalid_image`. */
export async function decodeBmp(bytes: Buffer, header: BmpHeader): Promise<DecodedImage> {
  const { width, height, bitsPerPixel, dataOffset, isTopDown } = header;
  const stride = Math.ceil((width * bitsPerPixel) / 32) * 4;
  const hasAllRows = dataOffset + stride * height <= bytes.length;
  const hasPalette = header.paletteOffset + header.numColors * 4 <= bytes.length;
  if (!hasAllRows || !hasPalette) throw invalidMedia('image', 'ends before its last pixel');
  const data = new Uint8Array(width * height * 3);
  const rowsPerTurn = Math.max(1, Math.floor(PIXELS_PER_TURN / width));
  for (let y = 0; y < height; y++) {
    const row = bytes.subarray(dataOffset + (isTopDown ? y : height - 1 - y) * stride);
    const target = data.subarray(y * width * 3, (y + 1) * width * 3);
    if (bitsPerPixel <= 8) copyIndexedRow(bytes, header, row, target);
    else copyDirectRow(row, bitsPerPixel / 8, target);
    if ((y + 1) % rowsPerTurn === 0) await nextTurn();
  }
  return { kind: 'image', data, width, height };
}

function copyDirectRow(row: Uint8Array, bytesPerPixel: number, target: Uint8Array): void {
  for (let from = 0, to = 0; to < target.length; from += bytesPerPixel, to += 3) {
    target[to] = row[from + 2] as number;
    target[to + 1] = row[from + 1] as number;
    target[to + 2] = row[from] as number;
  }
}

function copyIndexedRow(bytes: Buffer, header: BmpHeader, row: Uint8Array, target: Uint8Array): void {
  const { bitsPerPixel, paletteOffset, numColors } = header;
  const mask = (1 << bitsPerPixel) - 1;
  for (let x = 0; x * 3 < target.length; x++) {
    const bit = x * bitsPerPixel;
    const index = ((row[bit >> 3] as number) >> (8 - bitsPerPixel - (bit & 7))) & mask;
    if (index >= numColors) throw invalidMedia('image', 'names a colour that its palette does not have');
    const color = paletteOffset + index * 4;
    target[x * 3] = bytes[color + 2] as number;
    target[x * 3 + 1] = bytes[color + 1] as number;
    target[x * 3 + 2] = bytes[color] as number;
  }
}
