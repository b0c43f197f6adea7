import { invalidMedia } from './failure.js';

const MAX_HEADER_BYTES = 64;
const HEADER = /^P6\s(\d{1,6})\s(\d{1,6})\s255\s/;

/** Takes a stream of binary PPM pictures apart; sizes and counts are checked before anything is allocated. */
export class PpmFrames {
  numComplete = 0;
  width = 0;
  height = 0;
  private header = Buffer.alloc(0);
  private frame: Uint8Array | undefined;
  private filled = 0;

  /** `numPixels`: pixels of every frame. */
  constructor(
    private readonly maxFrames: number,
    private readonly numPixels: number,
    private readonly onFrame: (frame: Uint8Array, size: { width: number; height: number }) => void,
  ) {}

  /** Throws `invalid_video` on anything but the promised frames. */
  push(chunk: Buffer): void {
    for (let rest = chunk; rest.length > 0;) {
      rest = this.frame ? this.fill(this.frame, rest) : this.readHeader(rest);
    }
  }

  private readHeader(chunk: Buffer): Buffer {
    const text = Buffer.concat([this.header, chunk.subarray(0, MAX_HEADER_BYTES)]);
    const match = HEADER.exec(text.toString('latin1'));
    if (match === null) {
      if (text.length >= MAX_HEADER_BYTES) throw broken();
      this.header = text;
      return Buffer.alloc(0);
    }
    const taken = match[0].length - this.header.length;
    this.header = Buffer.alloc(0);
    this.startFrame(Number(match[1]), Number(match[2]));
    return chunk.subarray(taken);
  }

  private startFrame(width: number, height: number): void {
    const isFirst = this.numComplete === 0;
    const isSameSize = isFirst || (width === this.width && height === this.height);
    if (width * height !== this.numPixels || !isSameSize || this.numComplete >= this.maxFrames)
      throw broken();
    this.width = width;
    this.height = height;
    this.frame = new Uint8Array(width * height * 3);
    this.filled = 0;
  }

  private fill(frame: Uint8Array, chunk: Buffer): Buffer {
    const count = Math.min(chunk.length, frame.length - this.filled);
    frame.set(chunk.subarray(0, count), this.filled);
    this.filled += count;
    if (this.filled === frame.length) {
      this.numComplete++;
      this.frame = undefined;
      this.onFrame(frame, { width: this.width, height: this.height });
    }
    return chunk.subarray(count);
  }
}

function broken(): Error {
  return invalidMedia('video', 'changes its picture size or cannot be decoded');
}
