import type { Tokenizer } from './tokenizer.js';

/**
 * Turns a sequence's tokens into text one by one. Text comes out as soon as its characters are complete; work per
 * token is bounded by the token's own bytes. Malformed bytes become U+FFFD, as in a decode of the whole.
 */
export class Detokenizer {
  // A BOM in an answer is text.
  private readonly decoder = new TextDecoder('utf-8', { ignoreBOM: true });
  private isAtStart = true;

  constructor(
    private readonly tokenizer: Tokenizer,
    private readonly skipSpecialTokens: boolean,
  ) {}

  /** The text that became complete with this token; may be empty. */
  push(tokenId: number): string {
    if (this.skipSpecialTokens && this.tokenizer.isSpecial(tokenId)) return '';
    const text = this.decoder.decode(this.tokenizer.tokenBytes(tokenId), { stream: true });
    if (!this.isAtStart || text === '') return text;
    this.isAtStart = false;
    return this.tokenizer.stripsFirstBlank && text.startsWith(' ') ? text.slice(1) : text;
  }

  /** What an incomplete character leaves at the end. */
  flush(): string {
    return this.decoder.decode();
  }
}
