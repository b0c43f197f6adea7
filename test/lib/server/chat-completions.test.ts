import assert from 'node:assert/strict';
import { test } from 'node:test';
import { readEvents, readJson, startServer, until } from './support/harness.js';

test('answers with the whole shape of a chat completion', async (t) => {
  const { chat, llm } = await startServer(t);
  const response = await chat({ model: 'stub', temperature: 0.5, max_completion_tokens: 7, max_tokens: 9 });
  const body = await readJson(response);
  assert.equal(response.status, 200);
  assert.match(body.id, /^chatcmpl-[0-9a-f]{32}$/);
  assert.equal(body.object, 'chat.completion');
  assert.equal(body.model, 'stub');
  assert.ok(Number.isInteger(body.created));
  assert.deepEqual(body.choices, [
    {
      index: 0,
      message: { role: 'assistant', content: 'a b', refusal: null },
      logprobs: null,
      finish_reason: 'stop',
      stop_reason: null,
    },
  ]);
  assert.deepEqual(body.usage, {
    prompt_tokens: 3,
    completion_tokens: 2,
    total_tokens: 5,
    prompt_tokens_details: {
      cached_tokens: 1,
      image_tokens: 2,
      video_tokens: 0,
      audio_tokens: 0,
      cached_media: 0,
    },
  });
  const { options } = llm.chats[0]!;
  assert.equal(options.sampling!.temperature, 0.5);
  assert.equal(options.sampling!.maxTokens, 7);
  assert.equal(options.requestId, body.id);
});

test('gives logprobs, token ids and several choices when asked', async (t) => {
  const { chat } = await startServer(t);
  const body = await readJson(await chat({ n: 2, logprobs: true, top_logprobs: 1, return_token_ids: true }));
  assert.deepEqual(body.prompt_token_ids, [1, 2, 3]);
  assert.deepEqual(
    body.choices.map((choice: { index: number }) => choice.index),
    [0, 1],
  );
  assert.deepEqual(body.choices[1].token_ids, [0, 1]);
  assert.deepEqual(body.choices[0].logprobs.content[0], {
    token: 'a ',
    logprob: -0.5,
    bytes: [97, 32],
    top_logprobs: [{ token: 'a ', logprob: -0.5, bytes: [97, 32] }],
  });
});

test('any text and any name of a model arrive as they are', async (t) => {
  const pieces = ['"quoted"', '\\', '\u0000\u001f\u2028', '\ud83d', '\ude00', '</script>'];
  const modelId = 'org/"odd" \\ name\n';
  const { chat, post } = await startServer(t, { tokens: pieces, modelId });
  const whole = await readJson(await chat());
  assert.equal(whole.choices[0].message.content, pieces.join(''));
  assert.equal(whole.model, modelId);
  const events = await readEvents(await chat({ stream: true }));
  const deltas = events.slice(1, -1);
  assert.deepEqual(
    deltas.map((event) => event.choices[0].delta.content),
    pieces,
  );
  assert.ok(deltas.every((event) => event.model === modelId));
  const completion = await readJson(await post('/v1/completions', { prompt: 'x' }));
  assert.equal(completion.choices[0].text, pieces.join(''));
});

test('what the model is given can be copied and still tells that the client left', async (t) => {
  const { chat, llm } = await startServer(t, { tokens: Array<string>(500).fill('x'), tokenDelayMs: 5 });
  const controller = new AbortController();
  const pending = chat({}, { signal: controller.signal });
  await until(() => llm.chats.length === 1);
  const { signal } = { ...llm.chats[0]!.options };
  assert.ok(signal instanceof AbortSignal && !signal.aborted);
  controller.abort();
  await assert.rejects(pending);
  await until(() => signal.aborted);
});

test('streams one event a token between the role and [DONE]', async (t) => {
  const { chat } = await startServer(t, { tokens: ['x', '', 'y'] });
  const response = await chat({
    stream: true,
    stream_options: { include_usage: true },
    return_token_ids: true,
  });
  assert.match(response.headers.get('content-type')!, /^text\/event-stream/);
  const events = await readEvents(response);
  assert.equal(events.length, 6);
  const [role, first, empty, last, usage, done] = events;
  assert.deepEqual(role.choices[0].delta, { role: 'assistant', content: '', refusal: null });
  assert.deepEqual(role.prompt_token_ids, [1, 2, 3]);
  assert.deepEqual(role.choices[0].token_ids, []);
  assert.equal(role.usage, null);
  assert.deepEqual(first.choices[0].delta, { content: 'x' });
  assert.deepEqual(first.choices[0].token_ids, [0]);
  assert.equal(first.choices[0].finish_reason, null);
  assert.deepEqual(empty.choices[0].delta, { content: '' });
  assert.equal(last.choices[0].finish_reason, 'stop');
  assert.deepEqual(usage.choices, []);
  assert.equal(usage.usage.completion_tokens, 3);
  assert.equal(done, '[DONE]');
  assert.equal(new Set(events.slice(0, 5).map((event) => event.id)).size, 1);
});

test('streams several choices and usage in every event', async (t) => {
  const { chat } = await startServer(t);
  const events = await readEvents(
    await chat({ stream: true, n: 2, stream_options: { include_usage: true, continuous_usage_stats: true } }),
  );
  const finished = events.filter((event) => event.choices?.[0]?.finish_reason === 'stop');
  assert.deepEqual(
    finished.map((event) => event.choices[0].index),
    [0, 1],
  );
  assert.deepEqual(finished[1].usage, { prompt_tokens: 3, completion_tokens: 4, total_tokens: 7 });
});

test('an error before the first event is a plain answer, also for a stream', async (t) => {
  const { chat } = await startServer(t, { failsAtToken: 0 });
  const response = await chat({ stream: true });
  assert.equal(response.status, 503);
  assert.equal((await readJson(response)).error.code, 'engine_unavailable');
});

test('an error after the first event is an event', async (t) => {
  const { chat } = await startServer(t, { failsAtToken: 1 });
  const response = await chat({ stream: true });
  assert.equal(response.status, 200);
  const events = await readEvents(response);
  assert.equal(events.at(-2).error.code, 'engine_unavailable');
  assert.equal(events.at(-1), '[DONE]');
});

test('cache salts are kept apart by API key and never reach the engine as they were sent', async (t) => {
  const { chat, llm } = await startServer(t, {}, { apiKeys: ['one', 'two'] });
  const salt = '__proto__\u0000\n';
  for (const key of ['one', 'two']) {
    await chat({ cache_salt: salt }, { headers: { authorization: `Bearer ${key}` } });
  }
  await chat({}, { headers: { authorization: 'Bearer one' } });
  const salts = llm.chats.map(({ options }) => options.cacheSalt!);
  assert.equal(new Set(salts).size, 3);
  for (const value of salts) assert.match(value, /^[0-9a-f]{64}$/);
});
