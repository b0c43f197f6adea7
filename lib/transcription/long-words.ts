/** A word and when it is spoken, in encoder rows of its window. */
export interface WindowWord {
  word: string;
  start: number;
  end: number;
}

const ROWS_PER_SECOND = 50;
/** Words are not expected to be longer, however slow their speaker. */
const MAX_USUAL_ROWS = 0.7 * ROWS_PER_SECOND;
/** So much earlier or later than its segment a word is believed to be. */
const TOLERANCE_ROWS = 0.5 * ROWS_PER_SECOND;
const SENTENCE_ENDS = '.。!！?？';

const lengthOf = ({ start, end }: WindowWord): number => end - start;

/** Median length of the words that have one. */
export function usualLength(words: readonly WindowWord[]): number {
  const lengths = words
    .map(lengthOf)
    .filter((length) => length > 0)
    .sort((a, b) => a - b);
  const half = lengths.length / 2;
  const median = ((lengths[Math.ceil(half) - 1] ?? 0) + (lengths[Math.floor(half)] ?? 0)) / 2;
  return Math.min(median, MAX_USUAL_ROWS);
}

/**
 * A pause between sentences is heard as part of the mark before it or of the word behind it: where one of these lasts longer
 * than two usual words, the pause is cut off. Source: openai-whisper.
 */
export function cutSentencePauses(words: readonly WindowWord[], usual: number): WindowWord[] {
  const most = 2 * usual;
  return words.map((word, i) => {
    const previous = words[i - 1];
    if (previous === undefined || lengthOf(word) <= most) return word;
    if (SENTENCE_ENDS.includes(word.word)) return { ...word, end: word.start + most };
    return SENTENCE_ENDS.includes(previous.word) ? { ...word, start: word.end - most } : word;
  });
}

/**
 * A segment's own times are believed where its first word seems to begin much earlier or its last one to end much later.
 * Times only move inwards. Source: openai-whisper.
 */
export function keepInSegment(
  words: readonly WindowWord[],
  segment: { start: number; end: number },
  usual: number,
): WindowWord[] {
  const kept = words.map((word) => ({ ...word }));
  const [first, last] = [kept[0], kept.at(-1)];
  if (first === undefined || last === undefined) return kept;
  if (segment.start < first.end && segment.start - TOLERANCE_ROWS > first.start) {
    first.start = Math.max(first.start, Math.min(first.end - usual, segment.start));
  }
  if (segment.end > last.start && segment.end + TOLERANCE_ROWS < last.end) {
    last.end = Math.min(last.end, Math.max(last.start + usual, segment.end));
  }
  return kept;
}
