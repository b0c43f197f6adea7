import assert from 'node:assert/strict';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { runCli } from '../support/cli.js';
import { goldenCases, modelFolderOf, type GoldenCase } from '../support/goldens.js';

const golden = goldenCases('whisper').find(({ name }) => name === 'timestamps') as GoldenCase;
const sound = join(golden.folder, 'm1.wav');
const model = ['--model', modelFolderOf('whisper'), '--dtype', 'float32', '--temperature', '0'];

test('transcribe writes subtitles to standard output or to a file', async (t) => {
  const srt = await runCli(['transcribe', sound, ...model, '--language', 'english', '--format', 'srt']);
  assert.equal(srt.code, 0);
  assert.ok(srt.stdout.startsWith('1\n00:00:00,760 --> 00:00:25,480\nlike\n'));

  const folder = await mkdtemp(join(tmpdir(), 'sensorium-'));
  t.after(() => rm(folder, { recursive: true }));
  const file = join(folder, 'talk.vtt');
  const rest = ['--language', 'en', '--format', 'vtt', '--output', file];
  const vtt = await runCli(['transcribe', sound, ...model, ...rest]);
  assert.deepEqual([vtt.code, vtt.stdout], [0, '']);
  assert.ok((await readFile(file, 'utf8')).startsWith('WEBVTT\n\n00:00:00.760 --> 00:00:25.480\nlike\n'));
});

test('transcribe tells language and segments as JSON', async () => {
  const { code, stdout } = await runCli(['transcribe', sound, ...model, '--translate', '--format', 'json']);
  assert.equal(code, 0);
  const body = JSON.parse(stdout);
  assert.equal(body.task, 'translate');
  assert.equal(body.duration, 5);
  assert.match(body.language, /^[a-z]{2}$/);
  assert.ok(body.segments.length > 0);
});

test('transcribe tells when each word is spoken', async () => {
  const { code, stdout } = await runCli([
    'transcribe',
    sound,
    ...model,
    '--language',
    'en',
    '--format',
    'json',
    '--words',
  ]);
  assert.equal(code, 0);
  const { words, text, segments } = JSON.parse(stdout);
  assert.equal(words.map(({ word }: { word: string }) => word).join(''), text.replace(/\s/g, ''));
  assert.ok(segments.length > 0);
  const plain = await runCli(['transcribe', sound, ...model, '--words']);
  assert.equal(plain.code, 2);
  assert.match(plain.stderr, /--format json/);
});

test('transcribe says what is wrong', async () => {
  const chatting = await runCli(['transcribe', sound]);
  assert.equal(chatting.code, 1);
  assert.match(chatting.stderr, /does not write down speech/);
  const unknown = await runCli(['transcribe', sound, ...model, '--language', 'klingon']);
  assert.equal(unknown.code, 1);
  assert.match(unknown.stderr, /klingon/);
  const missing = await runCli(['transcribe', '/nowhere.wav', ...model]);
  assert.equal(missing.code, 1);
  const format = await runCli(['transcribe', sound, '--format', 'doc']);
  assert.equal(format.code, 2);
});
