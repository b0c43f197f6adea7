import type { NativeEvent, NativeLogprob } from '../native/addon.js';
import type { Detokenizer } from '../tokenizer/detokenizer.js';
import type { Tokenizer } from '../tokenizer/tokenizer.js';
import type { ResolvedSampling } from './sampling.js';
import { StopStringScanner } from './stop-strings.js';
import type { CompletionOutput, FinishReason, OutputDelta, TokenLogprob } from './types.js';

// A BOM in an answer is text.
const utf8 = new TextDecoder('utf-8', { ignoreBOM: true });
const FINISH_REASONS = { stop: 'stop', length: 'length', aborted: 'abort' } as const;

/** Array.from takes the way of any iterable, several times as long. */
function toNumbers(bytes: Uint8Array): number[] {
  const numbers = new Array<number>(bytes.length);
  for (let i = 0; i < bytes.length; i++) numbers[i] = bytes[i] as number;
  return numbers;
}

/** One continuation: turns token events into deltas and keeps the whole. */
export class OutputBuilder {
  private readonly detokenizer: Detokenizer;
  private readonly scanner: StopStringScanner;
  private readonly texts: string[] = [];
  private readonly tokenIds: number[] = [];
  private readonly logprobs: TokenLogprob[] = [];
  private finishReason?: FinishReason;
  private stopReason: string | number | null = null;

  constructor(
    private readonly index: number,
    private readonly tokenizer: Tokenizer,
    private readonly sampling: ResolvedSampling,
    private readonly eosTokenIds: ReadonlySet<number>,
  ) {
    this.detokenizer = tokenizer.createDetokenizer(sampling.skipSpecialTokens);
    this.scanner = new StopStringScanner(sampling.stopStrings, sampling.includeStopStrInOutput);
  }

  get isFinished(): boolean {
    return this.finishReason !== undefined;
  }

  get numTokens(): number {
    return this.tokenIds.length;
  }

  /** Takes one event; tells whether a stop string ended the continuation, which the engine then must be told. */
  push(event: NativeEvent): { delta: OutputDelta; isStoppedHere: boolean } {
    const delta: OutputDelta = { index: this.index, text: '', tokenIds: [] };
    const logprobs: TokenLogprob[] = [];
    for (let i = 0; i < event.tokenIds.length; i++) {
      const tokenId = event.tokenIds[i] as number;
      delta.tokenIds.push(tokenId);
      const logprob = event.logprobs?.[i];
      if (logprob !== undefined) logprobs.push(this.describe(logprob));
      const isEndToken = event.stopTokenId === tokenId && i === event.tokenIds.length - 1;
      delta.text += this.pushToken(tokenId, isEndToken);
      if (this.isFinished) break;
    }
    const isStoppedHere = this.isFinished;
    if (!isStoppedHere && event.finishReason !== undefined && event.finishReason !== 'error') {
      delta.text += this.end(FINISH_REASONS[event.finishReason], event.stopTokenId);
    }
    if (this.sampling.native.numLogprobs !== undefined) delta.logprobs = logprobs;
    this.keep(delta, logprobs);
    return { delta, isStoppedHere: isStoppedHere && event.finishReason === undefined };
  }

  private pushToken(tokenId: number, isEndToken: boolean): string {
    const numBefore = this.tokenIds.length;
    this.tokenIds.push(tokenId);
    if (isEndToken && !this.sampling.includeStopStrInOutput) return '';
    const text = this.detokenizer.push(tokenId);
    if (numBefore < this.sampling.native.minTokens) return text;
    return this.scan(text);
  }

  private scan(text: string): string {
    const scan = this.scanner.push(text);
    if (scan.matched !== undefined) {
      this.finishReason = 'stop';
      this.stopReason = scan.matched;
    }
    return scan.text;
  }

  /** Ends the continuation; gives the text that was still held back. */
  private end(reason: FinishReason, stopTokenId: number | undefined): string {
    const rest = this.scan(this.detokenizer.flush());
    if (this.isFinished) return rest;
    this.finishReason = reason;
    if (stopTokenId !== undefined && !this.eosTokenIds.has(stopTokenId)) this.stopReason = stopTokenId;
    return rest + this.scanner.flush();
  }

  private keep(delta: OutputDelta, logprobs: TokenLogprob[]): void {
    this.texts.push(delta.text);
    this.logprobs.push(...logprobs);
    if (this.finishReason === undefined) return;
    delta.finishReason = this.finishReason;
    delta.stopReason = this.stopReason;
  }

  // Field by field: objects that begin with a spread are many times slower to make.
  private describe({ tokenId, logprob, rank, top }: NativeLogprob): TokenLogprob {
    const bytes = this.tokenizer.tokenBytes(tokenId);
    return {
      tokenId,
      token: this.spell(tokenId, bytes),
      bytes: toNumbers(bytes),
      logprob,
      rank,
      top: top.map(([id, value]) => this.describeOther(id, value)),
    };
  }

  private describeOther(tokenId: number, logprob: number): TokenLogprob['top'][number] {
    const bytes = this.tokenizer.tokenBytes(tokenId);
    return { tokenId, token: this.spell(tokenId, bytes), bytes: toNumbers(bytes), logprob };
  }

  private spell(tokenId: number, bytes: Uint8Array): string {
    return this.tokenizer.wholeText(tokenId) ?? utf8.decode(bytes);
  }

  result(): CompletionOutput {
    return {
      index: this.index,
      text: this.texts.join(''),
      tokenIds: this.tokenIds,
      finishReason: this.finishReason ?? 'abort',
      stopReason: this.stopReason,
      logprobs: this.sampling.native.numLogprobs === undefined ? undefined : this.logprobs,
    };
  }
}
