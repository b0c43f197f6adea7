import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

const ROOT = fileURLToPath(new URL('../../../', import.meta.url));

async function outputOf(example: string): Promise<string> {
  const { stdout } = await promisify(execFile)(process.execPath, [`dist-test/examples/${example}.js`], {
    cwd: ROOT,
  });
  return stdout;
}

test('describe-image answers twice', async () => {
  const answer = 'a brown triangle and a gray ring on a blue background.';
  const lines = (await outputOf('describe-image')).trimEnd().split('\n');
  assert.equal(lines[0], answer);
  assert.match(lines[1]!, /^\d+ image tokens, \d+ answer tokens$/);
  assert.equal(lines[2], answer);
});

test('batch answers in the order of the questions', async () => {
  const lines = (await outputOf('batch')).trimEnd().split('\n');
  assert.deepEqual(lines, ['the text says "TWVFX".', 'the audio says "nine eight nine".', 'three beeps.']);
});

test('mounted-server transcribes through the openai client', async () => {
  assert.equal((await outputOf('mounted-server')).trim(), 'the audio says "nine eight nine".');
});
