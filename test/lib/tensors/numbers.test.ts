import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { packNumbers, toDense, viewOfArray } from '../../../lib/tensors/index.js';
import { rejectsWith } from '../media/support/errors.js';

type DType = Parameters<typeof packNumbers>[1];

async function denseOf(list: unknown[], shape: number[], dtype?: DType): Promise<[number[], boolean]> {
  const { data, isInteger } = await toDense(viewOfArray(await packNumbers({ list, shape }, dtype)));
  return [[...data], isInteger];
}

describe('plain numbers', () => {
  test('are integers where all are whole, else floats, or what they are said to be', async () => {
    assert.deepEqual(await denseOf([1, 8, 8], [3]), [[1, 8, 8], true]);
    assert.deepEqual(await denseOf([1, 8.5, 8], [3]), [[1, 8.5, 8], false]);
    assert.deepEqual(await denseOf([1, 8, 8], [3], 'float32'), [[1, 8, 8], false]);
    assert.deepEqual(await denseOf([1, 8, 8], [3], 'float64'), [[1, 8, 8], false]);
    assert.deepEqual(await denseOf([1, 8, 8], [3], 'int32'), [[1, 8, 8], true]);
    assert.deepEqual(await denseOf([], [0]), [[], true]);
  });

  test('in lists of lists come in order', async () => {
    const lists = [
      [
        [1, 2],
        [3, 4],
      ],
      [
        [5, 6],
        [7, 8],
      ],
    ];
    assert.deepEqual(await denseOf(lists, [2, 2, 2]), [[1, 2, 3, 4, 5, 6, 7, 8], true]);
  });

  test('that are none, or uneven, are refused', async () => {
    const bad: [unknown[], number[], DType?][] = [
      [[1, 'a'], [2]],
      [[1, null], [2]],
      [[1, 2n], [2]],
      [
        [[1, 2], [3]],
        [2, 2],
      ],
      [
        [[1, 2], 3],
        [2, 2],
      ],
      [
        [
          [1, 2],
          ['x', 'y'],
        ],
        [2, 2],
      ],
      [[1.5], [1], 'int64'],
      [[1], [1], 'float16'],
      [[1], [1], 'complex64' as DType],
    ];
    for (const [list, shape, dtype] of bad)
      await rejectsWith(packNumbers({ list, shape }, dtype), 'invalid_embedding');
  });

  test('by the million leave the event loop free, and stop with their request', async () => {
    const flat = Array.from({ length: 1_000_000 }, (_, i) => i);
    const forms = [
      { list: flat, shape: [1_000_000] },
      { list: flat.map((value) => [value]), shape: [1_000_000, 1] },
    ];
    for (const numbers of forms) {
      let numTurns = 0;
      let isDone = false;
      const count = (): unknown => (numTurns++, !isDone && setImmediate(count));
      setImmediate(count);
      const { data } = await packNumbers(numbers, undefined);
      isDone = true;
      assert.equal(data[999_999], 999_999n);
      assert.ok(numTurns > 5);
      await assert.rejects(packNumbers(numbers, 'float32', AbortSignal.abort(new Error('gone'))), /gone/);
    }
  });
});
