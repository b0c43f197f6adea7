export interface StopScan {
  /** Text that is certain. */
  text: string;
  /** The stop string that was found; nothing may follow. */
  matched?: string | undefined;
}

/** Looks for stop strings in a text that arrives in pieces, and holds back what may be the start of one. */
export class StopStringScanner {
  private held = '';
  private readonly maxHeld: number;

  constructor(
    private readonly stopStrings: readonly string[],
    private readonly includeInOutput: boolean,
  ) {
    this.maxHeld = Math.max(0, ...stopStrings.map((stop) => stop.length)) - 1;
  }

  push(piece: string): StopScan {
    if (this.stopStrings.length === 0) return { text: piece };
    const text = this.held + piece;
    const found = this.findFirst(text);
    if (found !== undefined) {
      this.held = '';
      const end = this.includeInOutput ? found.at + found.stop.length : found.at;
      return { text: text.slice(0, end), matched: found.stop };
    }
    const numHeld = this.numPossiblyStarting(text);
    this.held = text.slice(text.length - numHeld);
    return { text: text.slice(0, text.length - numHeld) };
  }

  /** What was held back, at the end of the answer. */
  flush(): string {
    const { held } = this;
    this.held = '';
    return held;
  }

  /** The match that ends first; of several that do, the one that begins first. */
  private findFirst(text: string): { at: number; stop: string } | undefined {
    let best: { at: number; stop: string } | undefined;
    for (const stop of this.stopStrings) {
      const at = text.indexOf(stop);
      if (at < 0) continue;
      const isBetter =
        best === undefined ||
        at + stop.length < best.at + best.stop.length ||
        (at + stop.length === best.at + best.stop.length && at < best.at);
      if (isBetter) best = { at, stop };
    }
    return best;
  }

  /** Length of the longest end of `text` that begins a stop string. */
  private numPossiblyStarting(text: string): number {
    for (let length = Math.min(this.maxHeld, text.length); length > 0; length--) {
      const end = text.slice(text.length - length);
      if (this.stopStrings.some((stop) => stop.length > length && stop.startsWith(end))) return length;
    }
    return 0;
  }
}
