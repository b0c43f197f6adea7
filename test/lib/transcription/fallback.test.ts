import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isSilent, leastBad, needsFallback } from '../../../lib/transcription/fallback.js';
import type { DecodedWindow } from '../../../lib/transcription/types.js';
import { compressionRatio } from '../../../lib/transcription/window-decoder.js';

const result = (avgLogprob: number, ratio: number, temperature = 0): DecodedWindow => ({
  tokenIds: [],
  text: '',
  avgLogprob,
  compressionRatio: ratio,
  temperature,
  usage: {} as DecodedWindow['usage'],
});

test('repetitive and unlikely results are tried again', () => {
  assert.equal(needsFallback(result(-0.9, 2.4)), false);
  assert.equal(needsFallback(result(-1.1, 1)), true);
  assert.equal(needsFallback(result(-0.1, 2.5)), true);
});

test('when nothing is acceptable, the likeliest that does not repeat itself is taken, else the first', () => {
  const [loop, unlikely, better] = [result(-0.1, 9), result(-3, 1, 0.4), result(-2, 1.2, 0.6)];
  assert.equal(leastBad([loop, unlikely, better]), better);
  assert.equal(leastBad([loop, result(-0.05, 8, 1)]), loop);
  assert.equal(leastBad([]), undefined);
});

test('a text that repeats itself compresses well', () => {
  assert.ok(compressionRatio('the same thing again and again. '.repeat(12)) > 2.4);
  assert.ok(compressionRatio('A sentence that somebody might well have said in a talk.') < 2.4);
  assert.equal(compressionRatio(''), 0);
});

test('silence is what is more likely than not to be none', () => {
  assert.equal(isSilent(0.6), false);
  assert.equal(isSilent(0.61), true);
});
