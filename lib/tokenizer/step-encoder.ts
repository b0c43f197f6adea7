import type { AddedToken, AddedTokens } from './added-tokens.js';
import type { HfTokenizer } from './hf-tokenizer.js';
import type { TokenSteps } from './slices.js';
import { SpellingTrie } from './spelling-trie.js';

/** Which added tokens count in a text. `control`: special ones and placeholders; `ordinary`: the others. */
type Recognise = 'all' | 'control' | 'ordinary';

const WORD_CHARACTER = /[\p{L}\p{N}_]/u;
/** Words merged, and characters cut into words, between two steps. */
const WORDS_PER_STEP = 256;
const CHARACTERS_PER_CUT = 16_384;
/** A pattern with this alternative ends a word at every line break that a letter or digit follows. */
const LINE_BREAK_ALTERNATIVE = String.raw`\s*[\r\n]+`;

/** Encodes texts step by step: added tokens apart, the rest normalised, cut into words and merged. */
export class StepEncoder {
  readonly controlSpellings: SpellingTrie;
  private readonly trieOf: Record<Recognise, SpellingTrie>;
  private readonly canCutAtLines: boolean;

  constructor(
    private readonly hf: HfTokenizer,
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
    const quoted = JSON.stringify(LINE_BREAK_ALTERNATIVE).slice(1, -1);
    this.canCutAtLines = (JSON.stringify(preTokenizerConfig) ?? '').includes(quoted);
  }

  /** All added tokens recognised. */
  encode(text: string): TokenSteps {
    return this.encodePieces(text, 'all', (plain, index) => this.encodeStretch(plain, index));
  }

  /** Control tokens that the text spells stay text. */
  encodePlain(text: string): TokenSteps {
    return this.encodePieces(text, 'ordinary', (plain, index) => this.encodeStretch(plain, index));
  }

  /** Control tokens recognised, `restore` applied to the stretches between them, in which they are not. */
  encodeRendered(text: string, restore: (plain: string) => string): TokenSteps {
    return this.encodePieces(text, 'control', (plain) => this.encodePlain(restore(plain)));
  }

  private *encodePieces(
    text: string,
    recognise: Recognise,
    encodeText: (plain: string, index: number) => TokenSteps,
  ): TokenSteps {
    const pieces = this.trieOf[recognise].split(text);
    const tokens = pieces.map((piece, i) =>
      piece.isSpelling ? this.wholeToken(piece.text, pieces[i - 1]?.text, pieces[i + 1]?.text) : undefined,
    );
    const ids: number[] = [];
    for (const [i, piece] of pieces.entries()) {
      const token = tokens[i];
      if (token !== undefined) ids.push(token.id);
      else yield* appendSteps(ids, encodeText(strip(piece.text, tokens[i - 1], tokens[i + 1]), i));
    }
    return ids;
  }

  private wholeToken(spelling: string, before = '', after = ''): AddedToken | undefined {
    const token = this.addedTokens.byContent.get(spelling);
    if (token?.isSingleWord !== true) return token;
    const isTouched = WORD_CHARACTER.test(before.slice(-1)) || WORD_CHARACTER.test(after.slice(0, 1));
    return isTouched ? undefined : token;
  }

  /** One stretch without added tokens. */
  private *encodeStretch(text: string, sectionIndex: number): TokenSteps {
    if (text === '') return [];
    const { normalizer, pre_tokenizer: preTokenizer } = this.hf;
    const normalized = normalizer === null ? text : normalizer.normalize(text);
    const ids: number[] = [];
    for (const cut of this.canCutAtLines ? cutAtLines(normalized) : [normalized]) {
      if (cut === '') continue;
      const words = preTokenizer?.pre_tokenize(cut, { section_index: sectionIndex }) ?? [cut];
      yield* appendSteps(ids, this.mergeWords(words));
    }
    return ids;
  }

  private *mergeWords(words: readonly string[]): TokenSteps {
    const { model } = this.hf;
    const ids: number[] = [];
    if (model === null) return ids;
    const numPerStep = model.fuse_unk ? words.length : WORDS_PER_STEP;
    for (let start = 0; start < words.length; start += numPerStep) {
      for (const token of model._call(words.slice(start, start + numPerStep))) {
        const id = model.tokens_to_ids.get(token) ?? model.unk_token_id;
        if (id !== undefined) ids.push(id);
      }
      yield ids.length;
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

/** A long text in parts that no word crosses: each ends with a line break, and a letter or digit follows. */
function* cutAtLines(text: string): Generator<string> {
  const lineEnd = /\n(?=[\p{L}\p{N}])/gu;
  let start = 0;
  while (text.length - start > CHARACTERS_PER_CUT) {
    lineEnd.lastIndex = start + CHARACTERS_PER_CUT;
    const match = lineEnd.exec(text);
    if (match === null) break;
    yield text.slice(start, match.index + 1);
    start = match.index + 1;
  }
  yield text.slice(start);
}

/** A text without the blanks that belong to its neighbours. */
function strip(text: string, before: AddedToken | undefined, after: AddedToken | undefined): string {
  if (before?.stripsRight === true) text = text.trimStart();
  if (after?.stripsLeft === true) text = text.trimEnd();
  return text;
}
