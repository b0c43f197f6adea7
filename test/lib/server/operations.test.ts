import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { test } from 'node:test';
import express from 'express';
import { SensoriumError } from '../../../lib/errors.js';
import { createApp } from '../../../lib/server/index.js';
import { VERSION } from '../../../lib/server/version.js';
import { readJson, startServer } from './support/harness.js';
import { StubLLM } from './support/stub-llm.js';

test('models, version, tokenize and detokenize', async (t) => {
  const { url, post } = await startServer(t);
  const { data } = await readJson(await fetch(`${url}/v1/models`));
  assert.equal(data[0].id, 'stub');
  assert.equal(data[0].max_model_len, 64);
  assert.deepEqual(await readJson(await fetch(`${url}/v1/models/stub`)), data[0]);
  assert.deepEqual(await readJson(await fetch(`${url}/version?x=1`)), { version: VERSION });
  assert.deepEqual(await readJson(await post('/tokenize', { prompt: 'ab' })), {
    tokens: [97, 98],
    count: 2,
    max_model_len: 64,
  });
  const messages = [
    { role: 'user', content: 'a' },
    { role: 'user', content: 'b' },
  ];
  assert.deepEqual((await readJson(await post('/tokenize', { messages }))).tokens, [0, 1]);
  assert.deepEqual(await readJson(await post('/detokenize', { tokens: [97, 98] })), { prompt: 'ab' });
});

test('tokenize and detokenize refuse what they cannot take', async (t) => {
  const { post } = await startServer(t);
  const codeOf = async (path: string, body: object): Promise<string> =>
    (await readJson(await post(path, body))).error.code;
  assert.equal(await codeOf('/tokenize', {}), 'missing_field');
  assert.equal(await codeOf('/tokenize', { prompt: 'a', messages: [] }), 'invalid_value');
  assert.equal(await codeOf('/tokenize', { prompt: 3 }), 'invalid_type');
  assert.equal(await codeOf('/detokenize', {}), 'missing_field');
  assert.equal(await codeOf('/detokenize', { tokens: [1, 'x'] }), 'invalid_type');
  assert.equal(await codeOf('/detokenize', { tokens: [-1] }), 'invalid_type');
});

test('health turns red when the engine is gone', async (t) => {
  const { url } = await startServer(t);
  assert.deepEqual(await readJson(await fetch(`${url}/health`)), { status: 'ok' });
  const statsError = new SensoriumError('engine_unavailable', 'The engine stopped.');
  const broken = await startServer(t, { statsError });
  const response = await fetch(`${broken.url}/health`);
  assert.equal(response.status, 503);
  assert.equal((await readJson(response)).error.code, 'engine_unavailable');
});

test('metrics tell the gauges, counters and stages', async (t) => {
  const { url, chat } = await startServer(t);
  await chat();
  await chat({ stream: true }).then((response) => response.text());
  await chat({ n: 0 });
  const text = await (await fetch(`${url}/metrics`)).text();
  const lines = text.split('\n');
  for (const line of [
    'sensorium_num_requests_running 3',
    'sensorium_num_requests_waiting 2',
    'sensorium_kv_cache_usage_ratio 0.75',
    'sensorium_prompt_tokens_total 20',
    'sensorium_generation_tokens_total 21',
    'sensorium_prefix_cache_queries_total 11',
    'sensorium_prefix_cache_hits_total 12',
    'sensorium_media_cache_queries_total 5',
    'sensorium_prefix_cache_evictions_total 23',
    'sensorium_prefix_cache_bytes 22',
    'sensorium_media_cache_hits_total 4',
    'sensorium_media_cache_evictions_total 3',
    'sensorium_media_cache_bytes 10',
    'sensorium_requests_total{route="/v1/chat/completions",status="200"} 2',
    'sensorium_requests_total{route="/v1/chat/completions",status="400"} 1',
    'sensorium_generations_total{outcome="stop"} 2',
    'sensorium_media_tokens_total{modality="image"} 4',
    'sensorium_time_to_first_token_seconds_count 2',
    'sensorium_e2e_request_latency_seconds_count 2',
    'sensorium_inter_token_latency_seconds_count 1',
    ...['fetch', 'preprocess', 'queue', 'encode', 'prefill', 'decode'].map(
      (stage) => `sensorium_request_stage_seconds_count{stage="${stage}"} 2`,
    ),
  ]) {
    assert.ok(lines.includes(line), line);
  }
});

test('the app can be mounted under a path of another one, behind its body parser', async (t) => {
  const host = express();
  host.use(express.json());
  host.use('/ai', createApp(new StubLLM().asServerLLM()));
  const server = createServer(host).listen(0, '127.0.0.1');
  await new Promise((resolve) => server.once('listening', resolve));
  t.after(() => server.close());
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/ai`;
  const body = JSON.stringify({ messages: [{ role: 'user', content: 'hi' }] });
  const headers = { 'content-type': 'application/json' };
  const response = await fetch(`${url}/v1/chat/completions`, { method: 'POST', body, headers });
  assert.equal((await readJson(response)).choices[0].message.content, 'a b');
  assert.equal((await readJson(await fetch(`${url}/nothing`))).error.code, 'route_not_found');
});
