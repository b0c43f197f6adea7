/** Collects a stream of unknown length under a cap, growing by doubling so that no single copy is long. */
export class ByteSink {
  private buffer: Buffer;
  private length = 0;

  /** `expectedBytes`: a hint (a declared length), never trusted beyond `maxBytes`. */
  constructor(
    private readonly maxBytes: number,
    expectedBytes?: number,
  ) {
    const initial = Math.min(maxBytes, expectedBytes ?? 64 * 1024);
    this.buffer = Buffer.allocUnsafeSlow(Math.max(1, initial));
  }

  /** Appends a chunk; false where it would pass the cap (nothing is stored then). */
  push(chunk: Uint8Array): boolean {
    const needed = this.length + chunk.length;
    if (needed > this.maxBytes) return false;
    if (needed > this.buffer.length) this.grow(needed);
    this.buffer.set(chunk, this.length);
    this.length = needed;
    return true;
  }

  get numBytes(): number {
    return this.length;
  }

  /** The bytes so far, sharing memory with the sink. */
  bytes(): Buffer {
    return this.buffer.subarray(0, this.length);
  }

  private grow(needed: number): void {
    const larger = Buffer.allocUnsafeSlow(Math.min(this.maxBytes, Math.max(needed, this.buffer.length * 2)));
    larger.set(this.bytes());
    this.buffer = larger;
  }
}
