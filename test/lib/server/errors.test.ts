import assert from 'node:assert/strict';
import { request as httpRequest } from 'node:http';
import { connect } from 'node:net';
import { test } from 'node:test';
import { SensoriumError } from '../../../lib/errors.js';
import { readJson, startServer, type Harness } from './support/harness.js';

const MESSAGES = [{ role: 'user', content: 'hi' }];

async function errorOf(response: Response): Promise<{ status: number; code: string; param: string | null }> {
  const { error } = await readJson(response);
  for (const field of ['code', 'message', 'param', 'type']) assert.ok(field in error, field);
  assert.equal(typeof error.message, 'string');
  return { status: response.status, code: error.code, param: error.param };
}

test('bodies that are not JSON', async (t) => {
  const { post } = await startServer(t);
  for (const body of ['{', '', 'null,', '{"a":1}}', Buffer.from([0x22, 0xff, 0x22]).toString('latin1')]) {
    const { status, code } = await errorOf(await post('/v1/chat/completions', body));
    if (body === '"\u00ff"') assert.equal(code, 'invalid_type');
    else assert.deepEqual([status, code], [400, 'invalid_json'], body);
  }
  const invalidUtf8 = await post('/v1/chat/completions', '', { body: Buffer.from([0x22, 0xff, 0x22]) });
  assert.equal((await errorOf(invalidUtf8)).code, 'invalid_json');
});

test('content types other than JSON, and compressed bodies', async (t) => {
  const { post } = await startServer(t);
  for (const type of ['text/plain', 'application/x-www-form-urlencoded', 'application/jsonx']) {
    const response = await post('/tokenize', { prompt: 'a' }, { headers: { 'content-type': type } });
    assert.deepEqual(await errorOf(response), { status: 415, code: 'unsupported_content_type', param: null });
  }
  const gzip = await post('/tokenize', { prompt: 'a' }, { headers: { 'content-encoding': 'gzip' } });
  assert.equal(gzip.status, 415);
  const charset = { 'content-type': 'Application/JSON; charset=utf-8' };
  assert.equal((await post('/tokenize', { prompt: 'a' }, { headers: charset })).status, 200);
});

test('wrong types and absurd numbers name their field', async (t) => {
  const { chat } = await startServer(t);
  const cases: [object, string, string][] = [
    [{ messages: undefined }, 'missing_field', 'messages'],
    [{ messages: null }, 'missing_field', 'messages'],
    [{ messages: [] }, 'invalid_value', 'messages'],
    [{ messages: 'hi' }, 'invalid_type', 'messages'],
    [{ model: 3 }, 'invalid_type', 'model'],
    [{ n: 0 }, 'invalid_value', 'n'],
    [{ n: 1e9 }, 'invalid_value', 'n'],
    [{ n: 1.5 }, 'invalid_type', 'n'],
    [{ n: '2' }, 'invalid_type', 'n'],
    [{ max_tokens: 0 }, 'invalid_value', 'max_tokens'],
    [{ max_tokens: -1 }, 'invalid_value', 'max_tokens'],
    [{ max_tokens: 2 ** 31 }, 'invalid_value', 'max_tokens'],
    [{ max_completion_tokens: -5 }, 'invalid_value', 'max_completion_tokens'],
    [{ max_tokens: 2, min_tokens: 3 }, 'invalid_value', 'min_tokens'],
    [{ temperature: -0.1 }, 'invalid_value', 'temperature'],
    [{ temperature: 2.1 }, 'invalid_value', 'temperature'],
    [{ temperature: true }, 'invalid_type', 'temperature'],
    [{ top_p: 0 }, 'invalid_value', 'top_p'],
    [{ top_k: -2 }, 'invalid_value', 'top_k'],
    [{ min_p: 1.1 }, 'invalid_value', 'min_p'],
    [{ repetition_penalty: 0 }, 'invalid_value', 'repetition_penalty'],
    [{ presence_penalty: 3 }, 'invalid_value', 'presence_penalty'],
    [{ logprobs: 1 }, 'invalid_type', 'logprobs'],
    [{ top_logprobs: 2 }, 'invalid_value', 'top_logprobs'],
    [{ logprobs: true, top_logprobs: 21 }, 'invalid_value', 'top_logprobs'],
    [{ logprobs: true, top_logprobs: -1 }, 'invalid_value', 'top_logprobs'],
    [{ logit_bias: { x: 1 } }, 'invalid_value', 'logit_bias'],
    [{ logit_bias: { 1: 101 } }, 'invalid_value', 'logit_bias[1]'],
    [{ stop: '' }, 'invalid_value', 'stop'],
    [{ stop: ['a', 3] }, 'invalid_type', 'stop[1]'],
    [{ stop: Array(65).fill('a') }, 'invalid_value', 'stop'],
    [{ stop_token_ids: [-1] }, 'invalid_value', 'stop_token_ids[0]'],
    [{ seed: 0.5 }, 'invalid_type', 'seed'],
    [{ stream: 'yes' }, 'invalid_type', 'stream'],
    [{ stream_options: { include_usage: true } }, 'invalid_value', 'stream_options'],
    [{ stream: true, stream_options: { include_usage: 1 } }, 'invalid_type', 'stream_options.include_usage'],
    [{ cache_salt: '' }, 'invalid_value', 'cache_salt'],
    [{ cache_salt: 'x'.repeat(257) }, 'invalid_value', 'cache_salt'],
    [{ chat_template: 3 }, 'invalid_type', 'chat_template'],
    [{ chat_template_kwargs: { chat_template: 'x' } }, 'invalid_value', 'chat_template_kwargs.chat_template'],
    [
      { add_generation_prompt: true, continue_final_message: true },
      'invalid_value',
      'continue_final_message',
    ],
    [{ mm_processor_kwargs: [] }, 'invalid_type', 'mm_processor_kwargs'],
    [{ response_format: 'json' }, 'invalid_type', 'response_format'],
    [{ response_format: {} }, 'missing_field', 'response_format.type'],
    [{ echo: 'yes' }, 'invalid_type', 'echo'],
    [{ media_io_kwargs: { video: 3 } }, 'invalid_type', 'media_io_kwargs.video'],
  ];
  for (const [fields, code, param] of cases) {
    const found = await errorOf(await chat(fields));
    assert.deepEqual(found, { status: 400, code, param }, JSON.stringify(fields).slice(0, 100));
  }
});

test('what a message has beside its content is checked too', async (t) => {
  const { chat } = await startServer(t);
  const call = (fields: object): object => ({ id: '1', type: 'function', ...fields });
  const cases: [object, string, string][] = [
    [{ name: 1 }, 'invalid_type', 'name'],
    [{ tool_call_id: {} }, 'invalid_type', 'tool_call_id'],
    [{ tool_calls: 'x' }, 'invalid_type', 'tool_calls'],
    [{ tool_calls: [1] }, 'invalid_type', 'tool_calls[0]'],
    [{ tool_calls: [call({})] }, 'invalid_type', 'tool_calls[0].function'],
    [{ tool_calls: [call({ function: {} })] }, 'invalid_type', 'tool_calls[0].function.name'],
    [{ tool_calls: [{ type: 'retrieval' }] }, 'invalid_value', 'tool_calls[0].type'],
    [
      { tool_calls: [call({ function: { name: 'f', arguments: '{' } })] },
      'invalid_value',
      'tool_calls[0].function.arguments',
    ],
  ];
  for (const [fields, code, param] of cases) {
    const found = await errorOf(await chat({ messages: [{ role: 'assistant', content: null, ...fields }] }));
    assert.deepEqual(found, { status: 400, code, param: `messages[0].${param}` });
  }
  const asClientsEcho = { name: null, refusal: null, tool_calls: null, annotations: [] };
  const right = call({ function: { name: 'f', arguments: '{"a":1}' } });
  for (const fields of [asClientsEcho, { tool_calls: [right] }, { tool_calls: [] }]) {
    const response = await chat({ messages: [{ role: 'assistant', content: 'hi', ...fields }] });
    assert.equal(response.status, 200, JSON.stringify(fields));
  }
});

test('numbers that JSON cannot hold are refused', async (t) => {
  const { post } = await startServer(t);
  const body = `{"messages":${JSON.stringify(MESSAGES)},"temperature":1e999}`;
  assert.deepEqual(await errorOf(await post('/v1/chat/completions', body)), {
    status: 400,
    code: 'invalid_type',
    param: 'temperature',
  });
});

test('what is known but not done is refused by name; what is unknown is ignored', async (t) => {
  const { chat } = await startServer(t);
  const refused = [
    { response_format: { type: 'json_object' } },
    { tool_choice: 'required' },
    { use_beam_search: true },
    { modalities: ['text', 'audio'] },
  ];
  for (const fields of refused) {
    const found = await errorOf(await chat(fields));
    assert.deepEqual(found, { status: 501, code: 'not_supported', param: Object.keys(fields)[0] });
  }
  const ignored = {
    user: 'me',
    foo: { bar: 1 },
    metadata: {},
    response_format: { type: 'text' },
    temperature: null,
  };
  assert.equal((await chat(ignored)).status, 200);
});

test('content parts: unknown types, unsupported modalities and too many are named', async (t) => {
  const { chat } = await startServer(t);
  const withPart = (...content: object[]): Promise<Response> =>
    chat({ messages: [{ role: 'user', content }] });
  assert.equal((await errorOf(await withPart({ type: 'hologram' }))).code, 'unknown_part_type');
  const video = { type: 'video_url', video_url: { url: 'data:video/mp4;base64,AAAA' } };
  assert.equal((await errorOf(await withPart(video))).code, 'unsupported_modality');
  const image = { type: 'image_url', image_url: { url: 'data:image/png;base64,AAAA' } };
  assert.equal((await errorOf(await withPart(image, image, image))).code, 'too_many_media');
});

test('unknown models, routes and methods', async (t) => {
  const { chat, url } = await startServer(t);
  assert.deepEqual(await errorOf(await chat({ model: 'gpt-4' })), {
    status: 404,
    code: 'model_not_found',
    param: 'model',
  });
  assert.equal((await errorOf(await fetch(`${url}/v1/models/other`))).code, 'model_not_found');
  for (const path of ['/', '/v1', '/v1/nothing?x=1', '/%zz', '/v1/models/%zz']) {
    const response = await fetch(url + path);
    assert.ok([400, 404].includes(response.status), path);
    await errorOf(response);
  }
  const wrong = await fetch(`${url}/v1/chat/completions`);
  assert.equal(wrong.headers.get('allow'), 'POST');
  assert.deepEqual(await errorOf(wrong), { status: 405, code: 'method_not_allowed', param: null });
  assert.equal((await fetch(`${url}/health`, { method: 'POST' })).status, 405);
});

test('errors of the engine keep their code; unknown ones say nothing', async (t) => {
  const busy = new SensoriumError('queue_full', 'Too many requests wait.');
  const { chat } = await startServer(t, { submitError: busy });
  const response = await chat();
  assert.equal(response.headers.get('retry-after'), '1');
  assert.deepEqual(await errorOf(response), { status: 429, code: 'queue_full', param: null });

  const secret = new Error('password 123 at 0x7fff') as SensoriumError;
  const other = await startServer(t, { submitError: secret });
  const hidden = await other.chat();
  assert.equal(hidden.status, 500);
  assert.doesNotMatch(await hidden.text(), /123/);
});

test('a body over the cap is cut off while it streams, and the client sees why', async (t) => {
  const { post, url, chat } = await startServer(t, {}, { maxBodyMb: 0.01 });
  const long = 'x'.repeat(20_000);
  assert.deepEqual(await errorOf(await post('/tokenize', { prompt: long })), {
    status: 413,
    code: 'body_too_large',
    param: null,
  });
  const endless = new ReadableStream({
    pull: (controller) => controller.enqueue(Buffer.from(long)),
  });
  const status = await postEndless(url, endless);
  assert.equal(status, 413);
  assert.equal((await chat()).status, 200);
});

/** Streams until the answer's head comes, as chunks without a declared length. */
function postEndless(url: string, stream: ReadableStream<Uint8Array>): Promise<number> {
  return new Promise((resolve, reject) => {
    const request = httpRequest(`${url}/tokenize`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
    });
    const reader = stream.getReader();
    let isAnswered = false;
    request.on('response', (response) => {
      isAnswered = true;
      response.resume();
      request.destroy();
      resolve(response.statusCode!);
    });
    request.on('error', (error) => (isAnswered ? undefined : reject(error)));
    const pump = async (): Promise<void> => {
      while (!isAnswered) {
        const { value } = await reader.read();
        if (!request.write(value)) await new Promise((drained) => setTimeout(drained, 1));
      }
    };
    pump().catch(reject);
  });
}

test('bodies together stay under the budget', async (t) => {
  const { url, post } = await startServer(t, {}, { maxBodyMb: 0.01, maxInFlightBodyMb: 0.01 });
  const held = httpRequest(`${url}/tokenize`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', 'content-length': 9_000 },
  });
  held.on('error', () => undefined);
  held.write('x'.repeat(8_000));
  await new Promise((resolve) => setTimeout(resolve, 50));
  const response = await post('/tokenize', { prompt: 'y'.repeat(5_000) });
  assert.equal((await errorOf(response)).code, 'rate_limited');
  held.destroy();
  await new Promise((resolve) => setTimeout(resolve, 50));
  assert.equal((await post('/tokenize', { prompt: 'y'.repeat(5_000) })).status, 200);
});

/** What the server writes to a raw connection before it closes it. */
function rawAnswer({ running }: Harness, bytes: string): Promise<string> {
  const { port } = running.server.address() as { port: number };
  return new Promise((resolve, reject) => {
    const socket = connect(port, '127.0.0.1', () => socket.write(bytes));
    let text = '';
    socket.setEncoding('utf8').on('data', (chunk: string) => (text += chunk));
    socket.on('close', () => resolve(text)).on('error', reject);
  });
}

test('bytes that are not HTTP and requests that never end are answered in the envelope', async (t) => {
  const harness = await startServer(t, {}, { headersTimeoutMs: 200, requestTimeoutMs: 200 });
  assert.match(await rawAnswer(harness, 'NOT HTTP\r\n\r\n'), /^HTTP\/1.1 400 .*"code":"invalid_value"/s);
  assert.match(
    await rawAnswer(harness, 'POST /tokenize HTTP/1.1\r\nHost: x\r\n'),
    /^HTTP\/1.1 408 .*"request_timeout"/s,
  );
});
