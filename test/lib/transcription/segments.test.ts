import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { cutAtTimestamps } from '../../../lib/transcription/segments.js';

const FIRST = 1000;
/** Timestamp token of a time in seconds. */
const at = (seconds: number): number => FIRST + Math.round(seconds * 50);
const WINDOW = { numFrames: 3000, secondsPerFrame: 0.01 };
const cut = (tokens: number[]): ReturnType<typeof cutAtTimestamps> => cutAtTimestamps(tokens, FIRST, WINDOW);

describe('a window is cut at pairs of timestamps', () => {
  test('and what follows the last pair is heard again', () => {
    const tokens = [at(0), 1, 2, at(4), at(4.5), 3, at(9), at(9.5), 7, 8];
    assert.deepEqual(cut(tokens), {
      segments: [
        { start: 0, end: 4, tokens: [at(0), 1, 2, at(4)] },
        { start: 4.5, end: 9, tokens: [at(4.5), 3, at(9), at(9.5)] },
      ],
      advance: 900,
    });
  });

  test('and a single timestamp at the end says that nothing is cut', () => {
    const tokens = [at(0), 1, at(4), at(4), 2, at(8)];
    assert.deepEqual(cut(tokens), {
      segments: [
        { start: 0, end: 4, tokens: [at(0), 1, at(4)] },
        { start: 4, end: 8, tokens: [at(4), 2, at(8)] },
      ],
      advance: 3000,
    });
  });

  test('without a pair it is one segment up to its last timestamp', () => {
    assert.deepEqual(cut([at(0), 1, at(6)]), {
      segments: [{ start: 0, end: 6, tokens: [at(0), 1, at(6)] }],
      advance: 3000,
    });
  });

  test('without any time but the first it is as long as the window', () => {
    assert.deepEqual(cut([at(0), 1, 2]).segments, [{ start: 0, end: 30, tokens: [at(0), 1, 2] }]);
    assert.deepEqual(cut([]).segments, [{ start: 0, end: 30, tokens: [] }]);
  });

  test('a pair at the very beginning does not hear the window for ever', () => {
    assert.equal(cut([at(0), at(0), 1]).advance, 3000);
  });

  test('a last window is as long as what is left', () => {
    const { segments, advance } = cutAtTimestamps([at(0), 1], FIRST, {
      numFrames: 984,
      secondsPerFrame: 0.01,
    });
    assert.equal(advance, 984);
    assert.equal(segments[0]?.end, 9.84);
  });
});
