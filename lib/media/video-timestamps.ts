const LINE = /^frame:\s*\d+\s+pts:\s*(-?\d+)\s/;
const MAX_LINE_CHARACTERS = 4096;

/** Reads what ffmpeg's `metadata` filter prints to its error output: the timestamp of each picture that passes it. */
export class TimestampReport {
  readonly timestamps: number[] = [];
  /** Prints only for pictures that carry something, so each is given something first. */
  readonly filter = `metadata=mode=add:key=is_shown:value=1,metadata=mode=print:file='pipe\\:2'`;
  private rest = '';

  push(chunk: Buffer): void {
    const lines = (this.rest + chunk.toString('latin1')).split('\n');
    this.rest = (lines.pop() as string).slice(-MAX_LINE_CHARACTERS);
    for (const line of lines) {
      const pts = LINE.exec(line)?.[1];
      if (pts !== undefined) this.timestamps.push(Number(pts));
    }
  }
}
