import { Tokenizer as HfTokenizer } from '@huggingface/tokenizers';
import { SensoriumError } from '../errors.js';
import { AddedTokens, type AddedToken } from './added-tokens.js';
import { Detokenizer } from './detokenizer.js';
import { SpellingTrie } from './spelling-trie.js';
import { tokenBytesOf, type TokenToBytes } from './token-bytes.js';

type JsonObject = Record<string, unknown>;

export interface EncodeOptions {
  /** Adds what the tokenizer's post-processor puts around a text (a BOS token, say). Default false. */
  addSpecialTokens?: boolean | undefined;
}

/** Which added tokens count in a text. `control`: special ones and placeholders; `ordinary`: the others. */
type Recognise = 'all' | 'control' | 'ordinary';

const WORD_CHARACTER = /[\p{L}\p{N}_]/u;
/** Stands for a text's tokens when the post-processor is asked what it puts around them. */
const PROBE = '\u0000';

function createHfTokenizer(tokenizerJson: JsonObject, tokenizerConfig: JsonObject): HfTokenizer {
  try {
    return new HfTokenizer(tokenizerJson, tokenizerConfig);
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new SensoriumError('invalid_checkpoint', `tokenizer.json cannot be used: ${reason}`, {
      cause: error,
    });
  }
}

/** A checkpoint's tokenizer. Gives the ids of Hugging Face's own, on two footings: control tokens recognised or not. */
export class Tokenizer {
  readonly addedTokens: AddedTokens;
  readonly stripsFirstBlank: boolean;
  /** Ids are below this. */
  readonly vocabSize: number;
  /** Length of the longest spelling in the vocabulary, in UTF-16 units. */
  readonly maxTokenLength: number;
  private readonly hf: HfTokenizer;
  private readonly vocab: readonly (string | undefined)[];
  private readonly idOfToken: ReadonlyMap<string, number>;
  private readonly toBytes: TokenToBytes;
  private readonly trieOf: Record<Recognise, SpellingTrie>;
  private readonly prefixIds: number[];
  private readonly suffixIds: number[];

  /** `controlSpellings`: spellings that count as control tokens besides the special ones (media placeholders). */
  constructor(
    tokenizerJson: JsonObject,
    tokenizerConfig: JsonObject,
    controlSpellings: readonly string[] = [],
  ) {
    this.addedTokens = new AddedTokens(tokenizerJson.added_tokens);
    this.hf = createHfTokenizer(
      { post_processor: null, normalizer: null, ...tokenizerJson },
      tokenizerConfig,
    );
    const model = this.hf.model;
    if (model === null) throw new SensoriumError('invalid_checkpoint', 'tokenizer.json has no model.');
    this.vocab = model.vocab;
    this.idOfToken = model.tokens_to_ids;
    this.vocabSize = this.vocab.length;
    this.maxTokenLength = this.vocab.reduce((longest, token) => Math.max(longest, token?.length ?? 0), 1);
    const decoding = tokenBytesOf(tokenizerJson.decoder);
    this.toBytes = decoding.toBytes;
    this.stripsFirstBlank = decoding.stripsFirstBlank;
    const control = new Set([...this.addedTokens.specialSpellings(), ...controlSpellings]);
    const all = [...this.addedTokens.byContent.keys()];
    this.trieOf = {
      all: new SpellingTrie(all),
      control: new SpellingTrie(control),
      ordinary: new SpellingTrie(all.filter((spelling) => !control.has(spelling))),
    };
    [this.prefixIds, this.suffixIds] = this.probePostProcessor();
  }

  private probePostProcessor(): [prefix: number[], suffix: number[]] {
    const tokens = this.hf.post_processor?.post_process([PROBE], null, true).tokens ?? [PROBE];
    const at = tokens.indexOf(PROBE);
    const toIds = (list: string[]): number[] =>
      list.map((token) => this.tokenToId(token)).filter((id) => id !== undefined);
    return at < 0 ? [[], []] : [toIds(tokens.slice(0, at)), toIds(tokens.slice(at + 1))];
  }

  /** Spellings of the control tokens: the special ones and those named at construction. */
  get controlSpellings(): SpellingTrie {
    return this.trieOf.control;
  }

  /** A text's ids, added tokens recognised wherever they are spelled. */
  encode(text: string, options: EncodeOptions = {}): number[] {
    const ids = this.encodePieces(text, 'all', (plain, index) => this.encodeStretch(plain, index));
    return options.addSpecialTokens === true ? [...this.prefixIds, ...ids, ...this.suffixIds] : ids;
  }

  /** A text's ids where control tokens that it spells stay text. */
  encodePlain(text: string): number[] {
    return this.encodePieces(text, 'ordinary', (plain, index) => this.encodeStretch(plain, index));
  }

  /**
   * A rendered template's ids: control tokens are recognised, then `restore` gives each stretch between them its
   * final text, in which they are not.
   */
  encodeRendered(text: string, restore: (plain: string) => string): number[] {
    return this.encodePieces(text, 'control', (plain) => this.encodePlain(restore(plain)));
  }

  private encodePieces(
    text: string,
    recognise: Recognise,
    encodeText: (plain: string, index: number) => number[],
  ): number[] {
    const pieces = this.trieOf[recognise].split(text);
    const tokens = pieces.map((piece, i) =>
      piece.isSpelling ? this.wholeToken(piece.text, pieces[i - 1]?.text, pieces[i + 1]?.text) : undefined,
    );
    const ids: number[] = [];
    pieces.forEach((piece, i) => {
      const token = tokens[i];
      if (token !== undefined) ids.push(token.id);
      else appendAll(ids, encodeText(strip(piece.text, tokens[i - 1], tokens[i + 1]), i));
    });
    return ids;
  }

  private wholeToken(spelling: string, before = '', after = ''): AddedToken | undefined {
    const token = this.addedTokens.byContent.get(spelling);
    if (token?.isSingleWord !== true) return token;
    const isTouched = WORD_CHARACTER.test(before.slice(-1)) || WORD_CHARACTER.test(after.slice(0, 1));
    return isTouched ? undefined : token;
  }

  /** One stretch without added tokens: normalise, cut into words, merge. */
  private encodeStretch(text: string, sectionIndex: number): number[] {
    const { normalizer, pre_tokenizer: preTokenizer, model } = this.hf;
    const normalized = normalizer === null ? text : normalizer.normalize(text);
    if (normalized === '' || model === null) return [];
    const words = preTokenizer?.pre_tokenize(normalized, { section_index: sectionIndex }) ?? [normalized];
    const ids: number[] = [];
    for (const token of model.encode(words)) {
      const id = this.idOfToken.get(token) ?? model.unk_token_id;
      if (id !== undefined) ids.push(id);
    }
    return ids;
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
    if (added !== undefined) return new TextEncoder().encode(added.content);
    const token = this.vocab[tokenId];
    return token === undefined ? new Uint8Array(0) : this.toBytes(token);
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

/** A text without the blanks that belong to its neighbours. */
function strip(text: string, before: AddedToken | undefined, after: AddedToken | undefined): string {
  if (before?.stripsRight === true) text = text.trimStart();
  if (after?.stripsLeft === true) text = text.trimEnd();
  return text;
}

/** `push(...list)` without its limit on the number of arguments. */
function appendAll(target: number[], list: readonly number[]): void {
  for (const value of list) target.push(value);
}
