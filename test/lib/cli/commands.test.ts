import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer, type AddressInfo } from 'node:net';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { runCli } from '../support/cli.js';

const SAMPLES = fileURLToPath(new URL('../../../../models/demo/samples/', import.meta.url));

test('demo shows three media, their answers, the speed and the instruction set', async () => {
  const { code, stdout } = await runCli(['demo']);
  assert.equal(code, 0);
  for (const answer of [
    'a brown triangle and a gray ring on a blue background.',
    'a pink heart moves from left to right.',
    'the audio says "nine eight nine".',
  ]) {
    assert.ok(stdout.includes(`answer ${answer}\n`), answer);
  }
  assert.equal(stdout.match(/tokens\/s/g)!.length, 3);
  assert.match(stdout, /^instruction set: (generic|avx2|avx512|amx); in all [\d.]+ s$/m);
});

test('chat answers a prompt, or what comes on stdin, about files', async () => {
  const image = ['chat', '--temperature', '0', '--image', `${SAMPLES}text-1.png`];
  const asked = await runCli([...image, '--prompt', 'What does it say?']);
  assert.deepEqual([asked.code, asked.stdout], [0, 'the text says "TWVFX".\n']);
  const piped = await runCli(['chat', '--temperature', '0', '--audio', `${SAMPLES}beeps-1.wav`], {
    input: "What's in this audio?\n",
  });
  assert.deepEqual([piped.code, piped.stdout], [0, 'three beeps.\n']);
});

test('run continues a prompt for as many tokens as asked', async () => {
  const { code, stdout } = await runCli([
    'run',
    '--prompt',
    'the image shows',
    '--max-tokens',
    '4',
    '--temperature',
    '0',
  ]);
  assert.equal(code, 0);
  assert.ok(stdout.trim().length > 0);
});

test('what the model cannot read exits with 1 and names the file', async () => {
  const { code, stdout, stderr } = await runCli([
    'chat',
    '--image',
    `${SAMPLES}expected.json`,
    '--prompt',
    'x',
  ]);
  assert.deepEqual([code, stdout], [1, '']);
  assert.match(stderr, /expected\.json|\[(invalid_image|media_format_refused)\]/);
});

test('the demo shows its clip without ffmpeg too', async () => {
  const env = {
    SENSORIUM_FFMPEG_PATH: '/nonexistent/ffmpeg',
    SENSORIUM_FFPROBE_PATH: '/nonexistent/ffprobe',
  };
  const { code, stdout } = await runCli(['demo'], { env });
  assert.equal(code, 0);
  assert.match(stdout, /animated WebP[^]*answer a pink heart moves from left to right\./);
});

test('a kernel table can be forced', async () => {
  const { stdout } = await runCli(['demo'], { env: { SENSORIUM_CPU_ISA: 'generic' } });
  assert.match(stdout, /^instruction set: generic;/m);
  const unknown = await runCli(['demo'], { env: { SENSORIUM_CPU_ISA: 'quantum' } });
  assert.notEqual(unknown.code, 0);
  assert.match(unknown.stderr, /quantum/);
});

test('a port in use is told in one line', async (t) => {
  const other = createServer().listen(0, '127.0.0.1');
  t.after(() => other.close());
  await once(other, 'listening');
  const { port } = other.address() as AddressInfo;
  const { code, stderr } = await runCli(['serve', '--log-level', 'silent', '--port', String(port)]);
  assert.equal(code, 1);
  assert.match(stderr, /^sensorium: .*EADDRINUSE.*\n$/);
});
