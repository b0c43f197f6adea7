import assert from 'node:assert/strict';
import { cpSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { test } from 'node:test';
import { inspectModel } from '../../../lib/inspect/inspect.js';
import { loadAddon } from '../../../lib/native/load.js';
import { modelFolderOf } from '../support/goldens.js';

test('a model that hears needs room for what it hears beside its tokens', async () => {
  const { memory, maxModelLen, problems } = await inspectModel(modelFolderOf('whisper'), loadAddon());
  assert.deepEqual(problems, []);
  assert.equal(maxModelLen, 448);
  // 448 tokens and 1500 rows of 3 layers, 60 wide, in 4 bytes.
  assert.deepEqual(memory[1]?.kvBytes, [{ numTokens: 448, numBytes: 1948 * 2 * 3 * 60 * 4 }]);
});

test('an adapter is counted with its language model, which is missed where it is not there', async (t) => {
  const whole = await inspectModel(modelFolderOf('ultravox'), loadAddon());
  assert.deepEqual(whole.problems, []);
  assert.equal(whole.maxModelLen, 131_072);

  const folder = mkdtempSync(path.join(tmpdir(), 'inspect-'));
  t.after(() => rmSync(folder, { recursive: true }));
  cpSync(modelFolderOf('ultravox'), path.join(folder, 'model'), { recursive: true });
  const alone = await inspectModel(path.join(folder, 'model'), loadAddon());
  assert.ok(alone.numParameters < whole.numParameters);
  assert.match(alone.problems.join('\n'), /meta-llama\/Llama-3\.2-1B-Instruct.*text_model/);
});
