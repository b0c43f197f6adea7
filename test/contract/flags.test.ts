import assert from 'node:assert/strict';
import { fileURLToPath } from 'node:url';
import { describe, test, type TestContext } from 'node:test';
import { startServerProcess, type ServerProcess } from '../lib/support/cli.js';
import { ask, part } from './support/ask.js';
import { dataUrl } from './support/samples.js';

const DEMO = fileURLToPath(new URL('../../../models/demo/', import.meta.url));

async function start(t: TestContext, args: string[], env?: Record<string, string>): Promise<ServerProcess> {
  const server = await startServerProcess(['--kv-cache-gb', '0.02', ...args], env);
  t.after(() => server.stop());
  return server;
}

async function modelsOf(url: string, key?: string): Promise<any[]> {
  const headers: Record<string, string> = key === undefined ? {} : { authorization: `Bearer ${key}` };
  return ((await (await fetch(`${url}/v1/models`, { headers })).json()) as any).data;
}

describe("a script written for vLLM's serve", () => {
  test('starts the same server, with one line about what has no effect', async (t) => {
    const server = await start(t, [
      '--served-model-name',
      'eyes',
      'ears',
      '--max_model_len',
      '512',
      '--max-num-seqs=4',
      '--max-num-batched-tokens',
      '256',
      '--gpu-memory-utilization',
      '0.9',
      '--enforce-eager',
      '-tp',
      '1',
      '--dtype',
      'auto',
      '--runner',
      'generate',
      '--trust-remote-code',
      '--limit-mm-per-prompt.image',
      '1',
      '--limit-mm-per-prompt.video',
      '0',
      '--log-level',
      'warn',
    ]);
    const models = await modelsOf(server.url);
    assert.deepEqual(
      models.map(({ id, max_model_len }) => [id, max_model_len]),
      [
        ['eyes', 512],
        ['ears', 512],
      ],
    );
    const statusWith = async (model: string): Promise<number> =>
      (await ask([], { url: server.url, fields: { model } })).status;
    assert.deepEqual([await statusWith('eyes'), await statusWith('ears')], [200, 200]);
    assert.equal(await statusWith('sensorium-demo'), 404);
    const two = [part('image', dataUrl('shape-1.png')), part('image', dataUrl('shape-2.jpg'))];
    assert.equal((await ask(two, { url: server.url })).error.code, 'too_many_media');
    const video = await ask([part('video', dataUrl('video-1.webp'))], { url: server.url });
    assert.equal(video.status, 400);
    const warnings = server
      .stderr()
      .split('\n')
      .filter((line) => line.includes('without effect'));
    assert.equal(warnings.length, 1);
    for (const flag of ['--gpu-memory-utilization', '--enforce-eager', '--tensor-parallel-size']) {
      assert.ok(warnings[0]!.includes(flag), flag);
    }
    assert.match(server.stderr(), /--trust-remote-code.* has no effect: code of a checkpoint never runs/);
  });

  test('may give several keys, and the model after them', async (t) => {
    const server = await start(t, ['--log-level', 'silent', '--api-key', 'one', 'two', DEMO], {
      VLLM_API_KEY: 'three',
    });
    for (const key of ['one', 'two', 'three']) {
      assert.deepEqual(
        (await modelsOf(server.url, key)).map(({ id }) => id),
        ['demo'],
      );
    }
    assert.equal(await modelsOf(server.url, 'four'), undefined);
  });

  test('may open hosts and files, and set limits in the environment', async (t) => {
    const server = await start(
      t,
      ['--allowed-media-domains', 'a.example', '*.b.example', '--allowed-local-media-path', `${DEMO}samples`],
      { VLLM_MAX_IMAGE_PIXELS: '100', SENSORIUM_IMAGE_FETCH_TIMEOUT: '1' },
    );
    const codeOf = async (url: string): Promise<string> =>
      (await ask([part('image', url)], { url: server.url })).error?.code;
    assert.equal(await codeOf('http://c.example/x.png'), 'media_domain_refused');
    assert.equal(await codeOf('http://b.example/x.png'), 'media_domain_refused');
    assert.match(await codeOf('http://x.b.example/x.png'), /media_fetch_failed|media_fetch_timeout/);
    assert.equal(await codeOf('file:///etc/hostname'), 'local_file_refused');
    assert.equal(await codeOf(`file://${DEMO}samples/shape-1.png`), 'media_too_large');
  });
});
