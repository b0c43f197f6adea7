import assert from 'node:assert/strict';
import { test } from 'node:test';
import { VERSION } from '../../../lib/server/version.js';
import { runCli } from '../support/cli.js';

test('wrong arguments exit with 2 and say what is wrong', async () => {
  const cases: [string[], RegExp][] = [
    [['frob'], /unknown command 'frob'/],
    [['serve', '--frob'], /unknown option '--frob'/],
    [['serve', '--port', 'x'], /'--port <n>' argument 'x' is invalid/],
    [['serve', '--dtype', 'int3'], /Allowed choices are auto, float32, bfloat16/],
    [['serve', '--kv-cache-gb', '-1'], /Expected a number of at least/],
    [['serve', '--limit-mm-per-prompt', '{"smell":1}'], /'smell' is not one of image, video, audio/],
    [['serve', '--allowed-local-media-path', '/nowhere/at/all'], /does not exist/],
    [['serve', 'one', 'two'], /too many arguments/],
    [['chat', '--image', '/nowhere.png'], /There is no file/],
    [['run', '--temperature', '3'], /from 0 to 2/],
  ];
  for (const [args, message] of cases) {
    const { code, stdout, stderr } = await runCli(args);
    assert.equal(code, 2, args.join(' '));
    assert.match(stderr, message);
    assert.equal(stdout, '');
  }
});

test('help and version exit with 0', async () => {
  assert.equal((await runCli(['--version'])).stdout.trim(), VERSION);
  const help = await runCli(['serve', '--help']);
  assert.equal(help.code, 0);
  for (const flag of ['--api-key', '--allow-private-media-addresses', '--shutdown-grace', '--kv-cache-gb']) {
    assert.ok(help.stdout.includes(flag), flag);
  }
});

test('a folder that is no checkpoint is told without a stack', async () => {
  const { code, stderr } = await runCli(['run', '/nowhere/at/all', '--prompt', 'x']);
  assert.notEqual(code, 0);
  assert.match(stderr, /^sensorium: .*\[\w+\]$/m);
  assert.doesNotMatch(stderr, /^\s+at /m);
});
