import assert from 'node:assert/strict';
import { test } from 'node:test';
import { checkEmbeddingSize, readEmbeddingSizes, shortenEmbedding } from '../../../lib/llm/embedding-size.js';

const isRefused = (dimensions: number, config: Record<string, unknown>): void =>
  assert.throws(() => checkEmbeddingSize(dimensions, readEmbeddingSizes(config, 64)), {
    code: 'invalid_value',
    param: 'dimensions',
  });

test('only checkpoints trained for it take shorter sizes', () => {
  const any = readEmbeddingSizes({ is_matryoshka: true }, 64);
  const listed = readEmbeddingSizes({ is_matryoshka: true, matryoshka_dimensions: [16, 32] }, 64);
  for (const size of [undefined, 1, 63, 64]) checkEmbeddingSize(size, any);
  for (const size of [undefined, 16, 32, 64]) checkEmbeddingSize(size, listed);
  checkEmbeddingSize(64, readEmbeddingSizes({}, 64));
  isRefused(32, {});
  isRefused(8, { matryoshka_dimensions: [16, 32] });
  for (const size of [0, -1, 65, 1.5, Number.NaN]) isRefused(size, { is_matryoshka: true });
});

test('a shortened embedding has length 1 again where it is normalised', () => {
  const embedding = Float32Array.of(3, 4, 12);
  assert.deepEqual([...shortenEmbedding(embedding, 2, true)], [Math.fround(0.6), Math.fround(0.8)]);
  assert.deepEqual([...shortenEmbedding(embedding, 2, false)], [3, 4]);
  assert.equal(shortenEmbedding(embedding, 3, true), embedding);
  assert.deepEqual([...shortenEmbedding(Float32Array.of(0, 0, 1), 2, true)], [0, 0]);
});
