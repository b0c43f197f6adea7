import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  cutSentencePauses,
  keepInSegment,
  usualLength,
  type WindowWord,
} from '../../../lib/transcription/long-words.js';

const word = (text: string, start: number, end: number): WindowWord => ({ word: text, start, end });
const times = (words: WindowWord[]): number[][] => words.map(({ start, end }) => [start, end]);

test('the usual length is the median of those that have one, and not over 0.7 s', () => {
  assert.equal(usualLength([]), 0);
  assert.equal(usualLength([word('a', 3, 3)]), 0);
  assert.equal(usualLength([word('a', 0, 10), word('b', 10, 10), word('c', 10, 30), word('d', 30, 31)]), 10);
  assert.equal(usualLength([word('a', 0, 10), word('b', 10, 30)]), 15);
  assert.equal(usualLength([word('a', 0, 300)]), 35);
});

test('pauses between sentences belong to no word', () => {
  const words = [word(' one', 0, 10), word('.', 10, 90), word(' two', 90, 100), word(' three', 100, 190)];
  assert.deepEqual(times(cutSentencePauses(words, 10)), [
    [0, 10],
    [10, 30],
    [90, 100],
    [100, 190],
  ]);
  const next = [word(' one', 0, 10), word('?', 10, 12), word(' two', 12, 100)];
  assert.deepEqual(times(cutSentencePauses(next, 10)).at(-1), [80, 100]);
});

test('a segment tells where its first word begins and its last one ends', () => {
  const words = [word(' one', 0, 100), word(' two', 100, 110), word(' three', 110, 400)];
  const segment = { start: 80, end: 150 };
  assert.deepEqual(times(keepInSegment(words, segment, 10)), [
    [80, 100],
    [100, 110],
    [110, 150],
  ]);
  // Half a second is no reason.
  assert.deepEqual(keepInSegment(words, { start: 25, end: 375 }, 10), words);
  // Nor are times that its words contradict.
  assert.deepEqual(keepInSegment(words, { start: 200, end: 90 }, 10), words);
  assert.deepEqual(keepInSegment([], segment, 10), []);
});

test('times never move outwards', () => {
  const [only] = keepInSegment([word(' one', 0, 30)], { start: 28, end: 2 }, 35);
  assert.ok(only !== undefined && only.start >= 0 && only.end <= 30 && only.start <= only.end);
});
