import assert from 'node:assert/strict';
import { test } from 'node:test';
import OpenAI, { AuthenticationError } from 'openai';
import { startServerProcess } from '../lib/support/cli.js';
import { readSample } from './support/samples.js';

const HELLO = [{ role: 'user' as const, content: 'hello' }];

test('keys, the served name, small limits and a graceful end', async () => {
  const server = await startServerProcess(
    ['--api-key', 'one', '--served-model-name', 'eyes', '--max-body-mb', '0.5', '--kv-cache-gb', '0.05'],
    { SENSORIUM_API_KEY: 'two' },
  );
  const clientWith = (apiKey: string): OpenAI =>
    new OpenAI({ baseURL: `${server.url}/v1`, apiKey, maxRetries: 0 });
  const client = clientWith('one');
  await assert.rejects(clientWith('three').models.list(), AuthenticationError);
  for (const key of ['one', 'two']) assert.equal((await clientWith(key).models.list()).data[0]!.id, 'eyes');
  const long = [{ role: 'user' as const, content: 'x'.repeat(600_000) }];
  await assert.rejects(client.chat.completions.create({ model: 'eyes', messages: long }), {
    status: 413,
    code: 'body_too_large',
  });

  const stream = await client.chat.completions.create({
    model: 'eyes',
    messages: HELLO,
    stream: true,
    max_tokens: 200,
    ignore_eos: true,
  } as OpenAI.ChatCompletionCreateParamsStreaming);
  let exit: Promise<number | null> | undefined;
  let numEvents = 0;
  let finishReason: string | null | undefined;
  for await (const chunk of stream) {
    exit ??= server.stop('SIGTERM');
    numEvents++;
    finishReason = chunk.choices[0]?.finish_reason ?? finishReason;
  }
  assert.equal(finishReason, 'length');
  assert.ok(numEvents > 100);
  assert.equal(await exit, 0);
});

test("vLLM's variables: what is used, and one line of what is not", async () => {
  const server = await startServerProcess([], {
    VLLM_MAX_MEDIA_DOWNLOAD_SIZE_MB: '0',
    VLLM_MEDIA_FETCH_MAX_RETRIES: '0',
    VLLM_MEDIA_LOADING_THREAD_COUNT: '2',
    VLLM_MAX_AUDIO_DECODE_BYTES: '1000',
    VLLM_MEDIA_CACHE: '/nowhere',
    SENSORIUM_IMAGE_FETCH_TIMOUT: '5',
  });
  try {
    const client = new OpenAI({ baseURL: `${server.url}/v1`, apiKey: 'none', maxRetries: 0 });
    const data = readSample('beeps-1.wav').toString('base64');
    const content = [{ type: 'input_audio' as const, input_audio: { data, format: 'wav' as const } }];
    const asked = client.chat.completions.create({
      model: 'sensorium-demo',
      messages: [{ role: 'user', content }],
    });
    await assert.rejects(asked, { status: 413, code: 'media_too_large' });
    const lines = server
      .stderr()
      .split('\n')
      .filter((line) => line.includes('not used'));
    assert.equal(lines.length, 1);
    assert.match(lines[0]!, /SENSORIUM_IMAGE_FETCH_TIMOUT.*VLLM_MEDIA_CACHE/);
    assert.doesNotMatch(lines[0]!, /RETRIES|DOWNLOAD|THREAD|DECODE/);
  } finally {
    await server.stop();
  }
});

test('a second server on the same port says so and ends', async () => {
  const first = await startServerProcess();
  const port = new URL(first.url).port;
  await assert.rejects(startServerProcess(['--port', port]), /EADDRINUSE/);
  assert.equal(await first.stop('SIGINT'), 0);
});
