import type { AlignmentRequest } from '../engine/alignment.js';
import type { KeyedItem } from '../processors/types.js';
import type { Tokenizer } from '../tokenizer/tokenizer.js';
import type { AlignmentHeads } from './alignment-heads.js';
import { cutSentencePauses, keepInSegment, usualLength, type WindowWord } from './long-words.js';
import { decoderPrompt, type SpeechTokens } from './speech-tokens.js';
import type { SpeechTask } from './types.js';
import { mergeMarks, splitIntoWords } from './words.js';

/** Asks the engine for the first encoder row of each token. */
export type Align = (request: AlignmentRequest) => Promise<readonly number[]>;

export interface WordAlignerParts extends AlignmentHeads {
  tokenizer: Tokenizer;
  tokens: SpeechTokens;
  /** Tokens that a decoder's prompt may have. */
  maxModelLen: number;
  align: Align;
  cacheSalt: string;
  signal?: AbortSignal | undefined;
}

/** What was written down of a window. */
export interface WrittenWindow {
  window: KeyedItem;
  /** Encoder rows in which its text was spoken. */
  numFrames: number;
  /** Tokens, timestamps among them; times in encoder rows of the window. */
  segments: readonly { tokens: readonly number[]; start: number; end: number }[];
  language: string;
  task: SpeechTask;
}

/** Finds words in windows of sound: the decoder reads the known text once more, and its attention tells where it hears it. */
export class WordAligner {
  constructor(private readonly parts: WordAlignerParts) {}

  /** Words of each segment. Joined they are the segments' texts; their times ascend. */
  async wordsOf(written: WrittenWindow): Promise<WindowWord[][]> {
    const { segments } = written;
    const spoken = segments.map(({ tokens }) => tokens.filter((id) => this.isText(id)));
    if (spoken.every((tokenIds) => tokenIds.length === 0)) return spoken.map(() => []);
    const rows = await this.rowsOf(spoken.flat(), written);
    let first = 0;
    const timed = spoken.map((tokenIds) => {
      const words = this.timeWords(tokenIds, rows.slice(first, first + tokenIds.length + 1), written);
      first += tokenIds.length;
      return words;
    });
    const usual = usualLength(timed.flat());
    const cut = cutSentencePauses(timed.flat(), usual);
    return segments.map((segment, i) => {
      const words = mergeMarks(cut.splice(0, timed[i]?.length));
      return keepInSegment(words, segment, usual);
    });
  }

  private isText(id: number): boolean {
    const { tokenizer, tokens } = this.parts;
    return id < tokens.noTimestamps && !tokenizer.isSpecial(id);
  }

  /** Where each token begins, and where the end token does. */
  private rowsOf(
    textIds: readonly number[],
    { window, numFrames, language, task }: WrittenWindow,
  ): Promise<readonly number[]> {
    const { tokens, heads, filterWidth, maxModelLen, align, cacheSalt, signal } = this.parts;
    const prompt = decoderPrompt(tokens, { language, task, hasTimestamps: false, previous: [] });
    // The end token takes part in the averages where it has room.
    const promptIds = [...prompt, ...textIds, tokens.endOfText].slice(0, maxModelLen);
    return align({
      prompt: {
        promptIds: Int32Array.from(promptIds),
        media: [{ item: window, runs: [], isInterleavedWithAudio: false }],
        numTokensByModality: { image: 0, video: 0, audio: 0 },
      },
      // A token is heard by the one before it, which chooses it.
      alignment: {
        heads,
        filterWidth,
        firstToken: prompt.length - 1,
        numTokens: textIds.length + 1,
        numFrames,
      },
      cacheSalt,
      signal,
    });
  }

  /** `rows`: of each token, and of the one behind the last. */
  private timeWords(
    tokenIds: readonly number[],
    rows: readonly number[],
    { language, task }: WrittenWindow,
  ): WindowWord[] {
    const writtenLanguage = task === 'translate' ? 'en' : language;
    let first = 0;
    return splitIntoWords(tokenIds, this.parts.tokenizer, writtenLanguage).map(({ text, numTokens }) => {
      const start = rows[first] ?? 0;
      first += numTokens;
      return { word: text, start, end: rows[first] ?? start };
    });
  }
}
