import type { Tokenizer } from '../tokenizer/tokenizer.js';

/** A word with the blank before it, if any; as many tokens as it consists of. */
export interface Word {
  text: string;
  numTokens: number;
}

/** Languages whose words no blanks separate: each character counts as a word. */
const SPACELESS: ReadonlySet<string> = new Set(['zh', 'ja', 'th', 'lo', 'my', 'yue']);

/** Marks that stand by themselves, that belong to the word behind them, and to the word before them. Source: openai-whisper. */
const MARKS = '!"#$%&\'()*+,-./:;<=>?@[\\]^_`{|}~';
const PREPENDED = '"\'“¿([{-';
const APPENDED = '"\'.。,，!！?？:：”)]}、';

/** Bytes that UTF-8 needs for the character that begins with this byte. */
function characterLength(lead: number): number {
  if (lead >= 0xf0) return 4;
  if (lead >= 0xe0) return 3;
  return lead >= 0xc0 ? 2 : 1;
}

const isContinuation = (byte: number | undefined): boolean => byte !== undefined && (byte & 0xc0) === 0x80;

/** Whether a character begins in these bytes and does not end in them. */
function endsInsideCharacter(bytes: readonly number[]): boolean {
  let numBehindLead = 0;
  while (numBehindLead < 3 && isContinuation(bytes.at(-1 - numBehindLead))) numBehindLead++;
  const lead = bytes.at(-1 - numBehindLead);
  return lead !== undefined && characterLength(lead) > numBehindLead + 1;
}

/** The shortest runs of tokens that spell whole characters. Their texts join to the text of all tokens. */
function splitAtCharacters(tokenIds: readonly number[], tokenizer: Tokenizer): Word[] {
  const detokenizer = tokenizer.createDetokenizer(true);
  const units: Word[] = [];
  let unit: Word = { text: '', numTokens: 0 };
  let tail: number[] = [];
  for (const id of tokenIds) {
    unit.text += detokenizer.push(id);
    unit.numTokens++;
    tail = [...tail, ...tokenizer.tokenBytes(id)].slice(-4);
    if (unit.text === '' || endsInsideCharacter(tail)) continue;
    units.push(unit);
    unit = { text: '', numTokens: 0 };
  }
  unit.text += detokenizer.flush();
  if (unit.numTokens > 0) units.push(unit);
  return units;
}

const isMark = (text: string): boolean => MARKS.includes(text.trim());

/** Tokens as words, in the way of openai-whisper: at blanks and marks, or at characters where blanks separate no words. */
export function splitIntoWords(tokenIds: readonly number[], tokenizer: Tokenizer, language: string): Word[] {
  const units = splitAtCharacters(tokenIds, tokenizer);
  if (SPACELESS.has(language)) return units;
  const words: Word[] = [];
  for (const unit of units) {
    const last = words.at(-1);
    if (last === undefined || unit.text.startsWith(' ') || isMark(unit.text)) words.push({ ...unit });
    else {
      last.text += unit.text;
      last.numTokens += unit.numTokens;
    }
  }
  return words;
}

/** Joins opening marks to the word behind them and closing marks to the word before them; the word's times stay. */
export function mergeMarks<Item extends { word: string }>(items: readonly Item[]): Item[] {
  const opened: Item[] = [];
  for (const item of items.toReversed()) {
    const following = opened[0];
    const isOpening = item.word.startsWith(' ') && PREPENDED.includes(item.word.trim());
    if (following !== undefined && isOpening) {
      opened[0] = { ...following, word: item.word + following.word };
    } else opened.unshift(item);
  }
  const merged: Item[] = [];
  for (const item of opened) {
    const previous = merged.at(-1);
    if (previous !== undefined && !previous.word.endsWith(' ') && APPENDED.includes(item.word)) {
      merged[merged.length - 1] = { ...previous, word: previous.word + item.word };
    } else merged.push(item);
  }
  return merged;
}
