import type { Tokenizer } from './tokenizer.js';

/**
 * Turns a sequence's tokens into text one by one. Text comes out as soon as its characters are complete; work per
 * token is bounded by the token's own bytes. Malformed bytes become U+FFFD, as in a decode of the whole: in a run of
 * tokens that stand for single bytes each of them does, when the run is not UTF-8 throughout.
 */
export class Detokenizer {
  // A BOM in an answer is text.
  private readonly decoder = new TextDecoder('utf-8', { ignoreBOM: true });
  private readonly strictDecoder = new TextDecoder('utf-8', { ignoreBOM: true, fatal: true });
  /** Bytes of single-byte tokens that nothing else followed yet. */
  private run: number[] = [];
  private isAtStart = true;
  /** Whether nothing is begun: neither a run nor a character. */
  private isBetweenTexts = true;

  constructor(
    private readonly tokenizer: Tokenizer,
    private readonly skipSpecialTokens: boolean,
  ) {}

  /** The text that became complete with this token; may be empty. */
  push(tokenId: number): string {
    const wholeText = this.tokenizer.wholeText(tokenId);
    if (wholeText !== undefined && this.isBetweenTexts) return this.withoutFirstBlank(wholeText);
    if (this.skipSpecialTokens && this.tokenizer.isSpecial(tokenId)) return '';
    const bytes = this.tokenizer.tokenBytes(tokenId);
    // A whole text ends what was begun before it.
    this.isBetweenTexts = wholeText !== undefined;
    if (this.tokenizer.isByteFallback(tokenId)) {
      this.run.push(...bytes);
      return '';
    }
    return this.withoutFirstBlank(this.endRun() + this.decoder.decode(bytes, { stream: true }));
  }

  /** What an incomplete character leaves at the end. */
  flush(): string {
    this.isBetweenTexts = true;
    return this.withoutFirstBlank(this.endRun() + this.decoder.decode());
  }

  private endRun(): string {
    if (this.run.length === 0) return '';
    const bytes = Uint8Array.from(this.run);
    this.run = [];
    try {
      return this.strictDecoder.decode(bytes);
    } catch {
      return '\ufffd'.repeat(bytes.length);
    }
  }

  private withoutFirstBlank(text: string): string {
    if (!this.isAtStart || text === '') return text;
    this.isAtStart = false;
    return this.tokenizer.stripsFirstBlank && text.startsWith(' ') ? text.slice(1) : text;
  }
}
