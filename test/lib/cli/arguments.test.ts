import assert from 'node:assert/strict';
import { test } from 'node:test';
import { normaliseArguments } from '../../../lib/cli/arguments.js';
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
    [['serve', '--tensor-parallel-size', '2'], /only 1 is accepted/],
    [['serve', '-tp', '8'], /only 1 is accepted/],
    [['serve', '--load-format', 'dummy'], /Allowed choices are auto, safetensors/],
    [['serve', '--runner', 'dance'], /Allowed choices are auto, generate, pooling/],
    [['serve', '--kv-cache-gb', '900000'], /this machine has [\d.]+ GiB of memory/],
    [['serve', '--allowed-media-domains', 'http://a.example/x'], /must be a host/],
    [['serve', '--limit-mm-per-prompt.smell', '1'], /'smell' is not one of/],
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

test('flags may be written as vLLM takes them', () => {
  const cases: [string[], string[]][] = [
    [
      ['serve', './my_model', '--max_model_len', '5'],
      ['serve', './my_model', '--max-model-len', '5'],
    ],
    [['--max_model_len=5'], ['--max-model-len=5']],
    [
      ['-tp', '1'],
      ['--tensor-parallel-size', '1'],
    ],
    [['--limit-mm-per-prompt.image', '2'], ['--limit-mm-per-prompt={"image":2}']],
    [['--media_io_kwargs.video.num_frames=8'], ['--media-io-kwargs={"video":{"num_frames":8}}']],
    [['--mm-processor-kwargs.mode', 'fast'], ['--mm-processor-kwargs={"mode":"fast"}']],
    [
      ['--prompt', 'a.b_c', '--', '--x_y'],
      ['--prompt', 'a.b_c', '--', '--x_y'],
    ],
    [
      ['--temperature', '-0.5', '-'],
      ['--temperature', '-0.5', '-'],
    ],
  ];
  for (const [given, expected] of cases) assert.deepEqual(normaliseArguments(given), expected);
});
