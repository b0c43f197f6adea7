import { SensoriumError } from '../errors.js';
import { AddedTokens } from './added-tokens.js';
import { Detokenizer } from './detokenizer.js';
import { createHfTokenizer, type HfTokenizer } from './hf-tokenizer.js';
import { runAtOnce, runInSlices } from './slices.js';
import type { SpellingTrie } from './spelling-trie.js';
import { StepEncoder } from './step-encoder.js';
import { tokenBytesOf, type TokenDecoding } from './token-bytes.js';

type JsonObject = Record<string, unknown>;

export interface EncodeOptions {
  /** Adds what the tokenizer's post-processor puts around a text (a BOS token, say). Default false. */
  addSpecialTokens?: boolean | undefined;
}

/** What stands for one medium in a prompt, until it is replaced. */
export interface PlaceholderToken {
  token: string;
  tokenId: number;
}

/** Sees the number of tokens so far, and may end the encoding by throwing. */
export type TokenCheck = (numTokens: number) => void;

/** Stands for a text's tokens when the post-processor is asked what it puts around them. */
const PROBE = '\u0000';

const utf8 = new TextEncoder();
const strictUtf8 = new TextDecoder('utf-8', { ignoreBOM: true, fatal: true });

/** A checkpoint's tokenizer. Gives the ids of Hugging Face's own, on two footings: control tokens recognised or not. */
export class Tokenizer {
  readonly addedTokens: AddedTokens;
  readonly stripsFirstBlank: boolean;
  /** Ids are below this. */
  readonly vocabSize: number;
  /** Spellings of the control tokens: the special ones and those named at construction. */
  readonly controlSpellings: SpellingTrie;
  private readonly hf: HfTokenizer;
  private readonly vocab: readonly (string | undefined)[];
  private readonly idOfToken: ReadonlyMap<string, number>;
  /** Length of the longest spelling in the vocabulary, in UTF-16 units. */
  private readonly maxTokenLength: number;
  private readonly decoding: TokenDecoding;
  private readonly encoder: StepEncoder;
  private readonly prefixIds: number[];
  private readonly suffixIds: number[];
  /** By id, as answers ask for them. */
  private readonly wholeTexts = new Map<number, string | undefined>();

  /** `placeholders`: spellings that count as control tokens besides the special ones, in the vocabulary or not. */
  constructor(
    tokenizerJson: JsonObject,
    tokenizerConfig: JsonObject,
    placeholders: readonly PlaceholderToken[] = [],
  ) {
    this.addedTokens = new AddedTokens(tokenizerJson.added_tokens);
    this.hf = createHfTokenizer(tokenizerJson, tokenizerConfig);
    const model = this.hf.model;
    if (model === null) throw new SensoriumError('invalid_checkpoint', 'tokenizer.json has no model.');
    this.vocab = model.vocab;
    this.idOfToken = model.tokens_to_ids;
    this.vocabSize = this.vocab.length;
    this.maxTokenLength = this.vocab.reduce((longest, token) => Math.max(longest, token?.length ?? 0), 1);
    this.decoding = tokenBytesOf(tokenizerJson.decoder);
    this.stripsFirstBlank = this.decoding.stripsFirstBlank;
    for (const { token, tokenId } of placeholders) this.addedTokens.addMissing(token, tokenId);
    const control = new Set([
      ...this.addedTokens.specialSpellings(),
      ...placeholders.map(({ token }) => token),
    ]);
    this.encoder = new StepEncoder(this.hf, this.addedTokens, control, tokenizerJson.pre_tokenizer);
    this.controlSpellings = this.encoder.controlSpellings;
    [this.prefixIds, this.suffixIds] = this.probePostProcessor();
  }

  private probePostProcessor(): [prefix: number[], suffix: number[]] {
    const tokens = this.hf.post_processor?.post_process([PROBE], null, true).tokens ?? [PROBE];
    const at = tokens.indexOf(PROBE);
    const toIds = (list: string[]): number[] =>
      list.map((token) => this.tokenToId(token)).filter((id) => id !== undefined);
    return at < 0 ? [[], []] : [toIds(tokens.slice(0, at)), toIds(tokens.slice(at + 1))];
  }

  /** A text's ids, added tokens recognised wherever they are spelled. */
  encode(text: string, options: EncodeOptions = {}): number[] {
    return this.surround(runAtOnce(this.encoder.encode(text)), options);
  }

  /** As `encode`, in slices between which the event loop runs. */
  async encodeInSlices(text: string, options: EncodeOptions = {}, check?: TokenCheck): Promise<number[]> {
    return this.surround(await runInSlices(this.encoder.encode(text), check), options);
  }

  /** Ids of a text with what the post-processor puts around it, unless they begin with it already. */
  withSpecialTokens(ids: readonly number[]): number[] {
    if (this.prefixIds.length > 0 && this.prefixIds.every((id, i) => ids[i] === id)) return [...ids];
    return [...this.prefixIds, ...ids, ...this.suffixIds];
  }

  private surround(ids: number[], { addSpecialTokens }: EncodeOptions): number[] {
    return addSpecialTokens === true ? [...this.prefixIds, ...ids, ...this.suffixIds] : ids;
  }

  /** A text's ids where control tokens that it spells stay text. */
  encodePlain(text: string): number[] {
    return runAtOnce(this.encoder.encodePlain(text));
  }

  /**
   * A rendered template's ids, in slices: control tokens are recognised, then `restore` gives each stretch between
   * them its final text, in which they are not.
   */
  async encodeRendered(
    text: string,
    restore: (plain: string) => string,
    check?: TokenCheck,
    options: EncodeOptions = {},
  ): Promise<number[]> {
    return this.surround(await runInSlices(this.encoder.encodeRendered(text, restore), check), options);
  }

  decode(tokenIds: readonly number[], options: { skipSpecialTokens?: boolean | undefined } = {}): string {
    const detokenizer = this.createDetokenizer(options.skipSpecialTokens ?? true);
    return tokenIds.map((id) => detokenizer.push(id)).join('') + detokenizer.flush();
  }

  createDetokenizer(skipSpecialTokens: boolean): Detokenizer {
    return new Detokenizer(this, skipSpecialTokens);
  }

  /** The bytes a token stands for; none for ids without a token (padding rows of the vocabulary). */
  tokenBytes(tokenId: number): Uint8Array {
    const added = this.addedTokens.byId.get(tokenId);
    if (added !== undefined) return utf8.encode(added.content);
    const token = this.vocab[tokenId];
    return token === undefined ? new Uint8Array(0) : this.decoding.toBytes(token);
  }

  /** The text of a token of the vocabulary that begins and ends between characters; undefined for all others. */
  wholeText(tokenId: number): string | undefined {
    const known = this.wholeTexts.get(tokenId);
    if (known !== undefined || this.wholeTexts.has(tokenId)) return known;
    const text = this.readWholeText(tokenId);
    // Ids of the vocabulary alone, so that the map is bounded.
    if (tokenId < this.vocabSize) this.wholeTexts.set(tokenId, text);
    return text;
  }

  private readWholeText(tokenId: number): string | undefined {
    if (this.addedTokens.byId.has(tokenId) || this.isByteFallback(tokenId)) return undefined;
    try {
      return strictUtf8.decode(this.tokenBytes(tokenId)) || undefined;
    } catch {
      return undefined;
    }
  }

  /** Whether a token stands for one byte of a character that the vocabulary lacks. */
  isByteFallback(tokenId: number): boolean {
    if (this.addedTokens.byId.has(tokenId)) return false;
    const token = this.vocab[tokenId];
    return token !== undefined && this.decoding.isByteFallback(token);
  }

  isSpecial(tokenId: number): boolean {
    return this.addedTokens.byId.get(tokenId)?.isSpecial === true;
  }

  tokenToId(token: string): number | undefined {
    return this.addedTokens.byContent.get(token)?.id ?? this.idOfToken.get(token);
  }

  /** The fewest tokens that a text of this many UTF-16 units can have. */
  minNumTokens(textLength: number): number {
    // Normalisation makes at most four units one, and a token never spells more units than it has.
    return Math.ceil(textLength / (4 * this.maxTokenLength));
  }
}
