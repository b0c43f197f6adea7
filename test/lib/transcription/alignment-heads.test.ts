import assert from 'node:assert/strict';
import { test } from 'node:test';
import { readAlignmentHeads } from '../../../lib/transcription/alignment-heads.js';

const config = { decoder_layers: 3, decoder_attention_heads: 2 };
const stated = (heads: unknown): unknown => readAlignmentHeads({ alignment_heads: heads }, config);

test('the heads that follow the sound are those that the checkpoint names', () => {
  assert.deepEqual(
    stated([
      [0, 1],
      [2, 0],
    ]),
    {
      heads: [
        [0, 1],
        [2, 0],
      ],
      filterWidth: 7,
    },
  );
  assert.equal(readAlignmentHeads({}, { ...config, median_filter_width: 5 })?.filterWidth, 5);
});

test('where it names none, those of the upper half of the decoder', () => {
  const upper = [
    [1, 0],
    [1, 1],
    [2, 0],
    [2, 1],
  ];
  assert.deepEqual(readAlignmentHeads({}, config)?.heads, upper);
  assert.deepEqual(readAlignmentHeads({ alignment_heads: null }, config)?.heads, upper);
  assert.equal(readAlignmentHeads({}, {})?.heads.length, 12);
});

test('heads and filters that do not fit the decoder are none', () => {
  for (const heads of [[], [[3, 0]], [[0, 2]], [[-1, 0]], [[0]], [[0, 0.5]], 'all', [0, 0], {}]) {
    assert.equal(stated(heads), undefined, JSON.stringify(heads));
  }
  assert.equal(stated(Array.from({ length: 7 }, () => [0, 0])), undefined);
  for (const median_filter_width of [0, 8, -7, 65, 7.5, '7']) {
    assert.equal(readAlignmentHeads({}, { ...config, median_filter_width }), undefined);
  }
});
