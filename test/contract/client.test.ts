import assert from 'node:assert/strict';
import { test } from 'node:test';
import type OpenAI from 'openai';
import { BadRequestError, NotFoundError } from 'openai';
import { SAMPLES, messagesFor } from './support/samples.js';
import { useServer } from './support/server.js';

const service = useServer();
const HELLO = [{ role: 'user' as const, content: 'hello' }];

async function tokenize(body: object): Promise<{ tokens: number[] }> {
  const response = await fetch(`${service.url}/tokenize`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(body),
  });
  return response.json() as Promise<{ tokens: number[] }>;
}

test('a stream says what the whole answer says, one event a token', async () => {
  const { client, model } = service;
  const messages = messagesFor(SAMPLES[1]!);
  const whole = await client.chat.completions.create({ model, messages, temperature: 0 });
  const stream = await client.chat.completions.create({
    model,
    messages,
    temperature: 0,
    stream: true,
    stream_options: { include_usage: true },
  });
  let text = '';
  let numContentEvents = 0;
  const finishReasons: string[] = [];
  let usage: OpenAI.CompletionUsage | null | undefined;
  for await (const chunk of stream) {
    const choice = chunk.choices[0];
    if (choice?.delta.content && choice.delta.role === undefined) numContentEvents++;
    if (choice?.finish_reason) finishReasons.push(choice.finish_reason);
    text += choice?.delta.content ?? '';
    usage = chunk.usage ?? usage;
  }
  assert.equal(text, whole.choices[0]!.message.content);
  assert.deepEqual(finishReasons, ['stop']);
  assert.equal(usage!.completion_tokens, whole.usage!.completion_tokens);
  assert.ok(numContentEvents > 5);
});

test('token ids: of the prompt, of each choice, and together over the stream', async () => {
  const { client, model } = service;
  const asked = { model, messages: HELLO, temperature: 0, return_token_ids: true };
  const whole = (await client.chat.completions.create(asked)) as any;
  const tokenized = await tokenize({ messages: HELLO });
  assert.deepEqual(whole.prompt_token_ids, tokenized.tokens);
  assert.equal(whole.choices[0].token_ids.length, whole.usage.completion_tokens);
  const streamed: number[] = [];
  for await (const chunk of await client.chat.completions.create({ ...asked, stream: true })) {
    streamed.push(...((chunk.choices[0] as any).token_ids ?? []));
  }
  assert.deepEqual(streamed, whole.choices[0].token_ids);
});

test('logprobs add up and the best one is the chosen one when greedy', async () => {
  const { client, model } = service;
  const completion = await client.chat.completions.create({
    model,
    messages: HELLO,
    temperature: 0,
    logprobs: true,
    top_logprobs: 3,
  });
  const { content } = completion.choices[0]!.logprobs!;
  assert.equal(content!.length, completion.usage!.completion_tokens);
  for (const { token, logprob, top_logprobs: top } of content!) {
    assert.equal(top.length, 3);
    assert.equal(top[0]!.token, token);
    assert.equal(top[0]!.logprob, logprob);
    assert.ok(logprob <= 0 && top[1]!.logprob <= logprob);
  }
});

test('max_tokens, stop, ignore_eos and n', async () => {
  const { client, model } = service;
  const create = (fields: object): Promise<OpenAI.ChatCompletion> =>
    client.chat.completions.create({ model, messages: HELLO, temperature: 0, ...fields });
  const plain = (await create({})).choices[0]!.message.content!;
  const cut = await create({ max_tokens: 2 });
  assert.equal(cut.choices[0]!.finish_reason, 'length');
  assert.equal(cut.usage!.completion_tokens, 2);
  const word = plain.split(' ')[1]!;
  const stopped = await create({ stop: [word] });
  assert.equal(stopped.choices[0]!.message.content, plain.slice(0, plain.indexOf(word)));
  assert.equal(stopped.choices[0]!.finish_reason, 'stop');
  const long = await create({ ignore_eos: true, max_tokens: 40 });
  assert.equal(long.usage!.completion_tokens, 40);
  const several = await create({ n: 3, temperature: 1.5, seed: 7 });
  assert.deepEqual(
    several.choices.map(({ index }) => index),
    [0, 1, 2],
  );
  const again = await create({ n: 3, temperature: 1.5, seed: 7 });
  assert.deepEqual(
    again.choices.map(({ message }) => message.content),
    several.choices.map(({ message }) => message.content),
  );
});

test('completions: text, token ids, several prompts, stream', async () => {
  const { client, model } = service;
  const asked = { model, temperature: 0, max_tokens: 8 };
  const one = await client.completions.create({ ...asked, prompt: 'the image shows', logprobs: 1 });
  assert.equal(one.choices[0]!.logprobs!.tokens!.length, one.usage!.completion_tokens);
  const { tokens } = await tokenize({ prompt: 'the image shows' });
  const byIds = await client.completions.create({ ...asked, prompt: tokens });
  assert.equal(byIds.choices[0]!.text, one.choices[0]!.text);
  const two = await client.completions.create({ ...asked, prompt: ['the image shows', 'two'] });
  assert.equal(two.choices[0]!.text, one.choices[0]!.text);
  assert.equal(two.choices.length, 2);
  let text = '';
  for await (const chunk of await client.completions.create({
    ...asked,
    prompt: 'the image shows',
    stream: true,
  })) {
    text += chunk.choices[0]?.text ?? '';
  }
  assert.equal(text, one.choices[0]!.text);
});

test('errors reach the client as its own classes', async () => {
  const { client, model } = service;
  const create = (fields: object): Promise<OpenAI.ChatCompletion> =>
    client.chat.completions.create({ model, messages: HELLO, ...fields } as never);
  const withImage = (url: string): object => ({
    messages: [{ role: 'user', content: [{ type: 'image_url', image_url: { url } }] }],
  });
  await assert.rejects(
    create({ model: 'other' }),
    (error) => error instanceof NotFoundError && error.code === 'model_not_found',
  );
  await assert.rejects(create({ n: -1 }), (error) => error instanceof BadRequestError && error.param === 'n');
  await assert.rejects(create({ messages: [{ role: 'user', content: 'word '.repeat(20_000) }] }), {
    status: 400,
    code: 'prompt_too_long',
  });
  await assert.rejects(create(withImage('data:image/png;base64,iVBORw0KGgo=')), {
    status: 400,
    code: 'invalid_image',
    param: 'messages[0].content[0].image_url',
  });
  await assert.rejects(create(withImage('http://127.0.0.1:1/x.png')), {
    status: 403,
    code: 'media_address_refused',
  });
  await assert.rejects(create(withImage('file:///etc/passwd')), { status: 403, code: 'local_file_refused' });
  await assert.rejects(create({ ...withImage('http://127.0.0.1:1/x.png'), stream: true }), { status: 403 });
  assert.equal((await create({ temperature: 0 })).choices.length, 1);
});

test('a client that leaves frees what its request held, and disturbs nobody', async () => {
  const { client, model } = service;
  const messages = messagesFor(SAMPLES[0]!);
  const alone = await client.chat.completions.create({ model, messages, temperature: 0 });
  const controller = new AbortController();
  const endless = { model, messages: HELLO, ignore_eos: true, max_tokens: 400, stream: true } as const;
  const leaving = await client.chat.completions.create(endless, { signal: controller.signal });
  const beside = client.chat.completions.create({ model, messages, temperature: 0 });
  for await (const chunk of leaving) {
    if (chunk.choices[0]?.delta.content) break;
  }
  controller.abort();
  assert.equal((await beside).choices[0]!.message.content, alone.choices[0]!.message.content);
  const deadline = Date.now() + 10_000;
  while ((await service.metric('sensorium_kv_cache_usage_ratio')) > 0) {
    assert.ok(Date.now() < deadline, 'blocks are still held');
  }
  assert.equal(await service.metric('sensorium_num_requests_running'), 0);
});
