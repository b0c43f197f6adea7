import type { AddedToken, AddedTokens } from './added-tokens.js';
import type { BpeModel } from './bpe-model.js';
import type { HfTokenizer } from './hf-tokenizer.js';
import type { TokenSteps } from './slices.js';
import { SpellingTrie } from './spelling-trie.js';

/** Which added tokens count in a text. `control`: special ones and placeholders; `ordinary`: the others. */
type Recognise = 'all' | 'control' | 'ordinary';

/** What a single word must not touch, as Rust's regular expressions have it. */
const ENDS_WITH_WORD = /[\p{Alphabetic}\p{M}\p{Nd}\p{Pc}\p{Join_Control}]$/u;
const STARTS_WITH_WORD = /^[\p{Alphabetic}\p{M}\p{Nd}\p{Pc}\p{Join_Control}]/u;
const LONE_SURROGATES = /\p{Surrogate}/gu;
const LEADING_BLANKS = /^\p{White_Space}+/u;
const BLANK = /\p{White_Space}/u;
/** Words merged, and characters cut into words, between two steps. */
const WORDS_PER_STEP = 256;
const CHARACTERS_PER_CUT = 16_384;
/** Patterns with this alternative are GPT-4's and those after it, in which letters, digits and the rest never mix. */
const LINE_BREAK_ALTERNATIVE = String.raw`\s*[\r\n]+`;

/** Part of a text: an added token, or what stands between two. */
interface Piece {
  text: string;
  token: AddedToken | undefined;
}

/** Encodes texts step by step: added tokens apart, the rest normalised, cut into words and merged. */
export class StepEncoder {
  readonly controlSpellings: SpellingTrie;
  private readonly trieOf: Record<Recognise, SpellingTrie>;
  private readonly canCutAtWords: boolean;
  /** Whether each blank begins a word, which the library's pre-tokenizer leaves out. */
  private readonly cutsAtBlanks: boolean;

  constructor(
    private readonly hf: HfTokenizer,
    private readonly model: BpeModel,
    private readonly addedTokens: AddedTokens,
    control: ReadonlySet<string>,
    preTokenizerConfig: unknown,
  ) {
    const all = [...addedTokens.byContent.keys()];
    this.trieOf = {
      all: new SpellingTrie(all),
      control: new SpellingTrie(control),
      ordinary: new SpellingTrie(all.filter((spelling) => !control.has(spelling))),
    };
    this.controlSpellings = this.trieOf.control;
    const { type, split } = (preTokenizerConfig ?? {}) as Record<string, unknown>;
    this.cutsAtBlanks = type === 'Metaspace' && split !== false;
    const quoted = JSON.stringify(LINE_BREAK_ALTERNATIVE).slice(1, -1);
    this.canCutAtWords = (JSON.stringify(preTokenizerConfig) ?? '').includes(quoted);
  }

  /** All added tokens recognised. */
  encode(text: string): TokenSteps {
    return this.encodePieces(text, 'all', (plain, index) => this.encodeStretch(plain, index));
  }

  /** Control tokens that the text spells stay text. */
  encodePlain(text: string): TokenSteps {
    return this.encodeWithoutControl(text, 0);
  }

  /** Control tokens recognised, `restore` applied to the stretches between them, in which they are not. */
  encodeRendered(text: string, restore: (plain: string) => string): TokenSteps {
    return this.encodePieces(text, 'control', (plain, index) =>
      this.encodeWithoutControl(restore(plain), index),
    );
  }

  /** `sectionIndex`: of the text's first stretch in the whole; some vocabularies spell the very first one otherwise. */
  private encodeWithoutControl(text: string, sectionIndex: number): TokenSteps {
    return this.encodePieces(text, 'ordinary', (plain, index) =>
      this.encodeStretch(plain, sectionIndex + index),
    );
  }

  private *encodePieces(
    text: string,
    recognise: Recognise,
    encodeText: (plain: string, index: number) => TokenSteps,
  ): TokenSteps {
    const pieces = this.split(text, recognise);
    const ids: number[] = [];
    for (const [i, piece] of pieces.entries()) {
      if (piece.token !== undefined) ids.push(piece.token.id);
      else
        yield* appendSteps(ids, encodeText(strip(piece.text, pieces[i - 1]?.token, pieces[i + 1]?.token), i));
    }
    return ids;
  }

  /** A text at its added tokens. A spelling that is part of a longer word stays in the text around it. */
  private split(text: string, recognise: Recognise): Piece[] {
    const found = this.trieOf[recognise].split(text);
    const pieces: Piece[] = [];
    for (const [i, { text: part, isSpelling }] of found.entries()) {
      const token = isSpelling ? this.wholeToken(part, found[i - 1]?.text, found[i + 1]?.text) : undefined;
      const last = pieces.at(-1);
      if (token === undefined && last !== undefined && last.token === undefined) last.text += part;
      else pieces.push({ text: part, token });
    }
    return pieces;
  }

  private wholeToken(spelling: string, before = '', after = ''): AddedToken | undefined {
    const token = this.addedTokens.byContent.get(spelling);
    if (token?.isSingleWord !== true) return token;
    const isTouched = ENDS_WITH_WORD.test(before.slice(-2)) || STARTS_WITH_WORD.test(after);
    return isTouched ? undefined : token;
  }

  /** One stretch without added tokens. */
  private *encodeStretch(text: string, sectionIndex: number): TokenSteps {
    if (text === '') return [];
    const { normalizer, pre_tokenizer: preTokenizer } = this.hf;
    // Halves of surrogate pairs are no text: U+FFFD stands for them, which vocabularies may spell as a token.
    const wellFormed = text.replace(LONE_SURROGATES, '\ufffd');
    const normalized = normalizer === null ? wellFormed : normalizer.normalize(wellFormed);
    const ids: number[] = [];
    for (const cut of this.canCutAtWords ? cutAtWords(normalized) : [normalized]) {
      if (cut === '') continue;
      const words = preTokenizer?.pre_tokenize(cut, { section_index: sectionIndex }) ?? [cut];
      yield* appendSteps(ids, this.mergeWords(this.cutsAtBlanks ? words.flatMap(cutAtBlanks) : words));
    }
    return ids;
  }

  private *mergeWords(words: readonly string[]): TokenSteps {
    const ids: number[] = [];
    for (const [i, word] of words.entries()) {
      const known = this.model.recall(word);
      if (known === undefined) yield* appendSteps(ids, this.model.encodeWord(word));
      else ids.push(...known);
      if (i % WORDS_PER_STEP === 0) yield ids.length;
    }
    return ids;
  }
}

/** Appends what `steps` gives to `ids`; its counts come out as counts of `ids`. */
function* appendSteps(ids: number[], steps: TokenSteps): Generator<number, void> {
  for (;;) {
    const step = steps.next();
    if (step.done !== true) {
      yield ids.length + step.value;
      continue;
    }
    for (const id of step.value) ids.push(id);
    return;
  }
}

/**
 * Ends of words whatever stands around them: a line break before a letter or digit, the last of several digits, a letter
 * before a blank and a letter.
 */
const WORD_END = /\n(?=[\p{L}\p{N}])|\p{N}(?!\p{N})|\p{L}(?= \p{L})/gu;

/** A long text in parts that no word crosses. */
function* cutAtWords(text: string): Generator<string> {
  const wordEnd = new RegExp(WORD_END);
  let start = 0;
  while (text.length - start > CHARACTERS_PER_CUT) {
    wordEnd.lastIndex = start + CHARACTERS_PER_CUT;
    if (wordEnd.exec(text) === null) break;
    yield text.slice(start, wordEnd.lastIndex);
    start = wordEnd.lastIndex;
  }
  yield text.slice(start);
}

/** A word in parts that each begin with a blank as SentencePiece spells it. */
const cutAtBlanks = (word: string): string[] => word.match(/\u2581[^\u2581]*|[^\u2581]+/g) ?? [];

function numTrailingBlanks(text: string): number {
  let num = 0;
  while (num < text.length && BLANK.test(text.charAt(text.length - 1 - num))) num++;
  return num;
}

/** A text without the blanks that belong to its neighbours. */
function strip(text: string, before: AddedToken | undefined, after: AddedToken | undefined): string {
  if (before?.stripsRight === true) text = text.replace(LEADING_BLANKS, '');
  if (after?.stripsLeft === true) text = text.slice(0, text.length - numTrailingBlanks(text));
  return text;
}
