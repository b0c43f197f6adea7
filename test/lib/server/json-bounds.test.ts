import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  checkJsonBounds,
  MAX_JSON_CONTAINERS,
  MAX_JSON_DEPTH,
  MAX_JSON_VALUES,
} from '../../../lib/server/json-bounds.js';
import { readJson, startServer } from './support/harness.js';

const check = (text: string): void => checkJsonBounds(Buffer.from(text));

test('nesting, containers and values are bounded', () => {
  const nested = (depth: number): string => '['.repeat(depth) + ']'.repeat(depth);
  check(nested(MAX_JSON_DEPTH));
  assert.throws(() => check(nested(MAX_JSON_DEPTH + 1)), { code: 'invalid_json' });
  check(`[${'{},'.repeat(MAX_JSON_CONTAINERS - 2)}{}]`);
  assert.throws(() => check(`[${'{},'.repeat(MAX_JSON_CONTAINERS)}{}]`), { code: 'invalid_json' });
  check(`[${'1,'.repeat(MAX_JSON_VALUES)}1]`);
  assert.throws(() => check(`[${'1,'.repeat(MAX_JSON_VALUES + 1)}1]`), { code: 'invalid_json' });
});

test('what stands in strings does not count', () => {
  const text = '[,{'.repeat(MAX_JSON_VALUES / 2);
  check(JSON.stringify({ text, quote: '"\\"[[', path: 'C:\\' }));
  check('"' + '\\"'.repeat(100_000) + '['.repeat(1_000) + '"');
  assert.throws(() => check(`{"a":"\\\\",${'['.repeat(MAX_JSON_DEPTH)}`), { code: 'invalid_json' });
  check('"never ended' + '['.repeat(1_000));
});

test('a hostile shape is refused over HTTP, and tokens outside the vocabulary too', async (t) => {
  const { post } = await startServer(t);
  const response = await post('/v1/chat/completions', '['.repeat(1_000_000));
  assert.equal(response.status, 400);
  assert.equal((await readJson(response)).error.code, 'invalid_json');
  const { error } = await readJson(await post('/detokenize', { tokens: [97, 256] }));
  assert.deepEqual([error.code, error.param], ['invalid_value', 'tokens[1]']);
});
