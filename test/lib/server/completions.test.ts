import assert from 'node:assert/strict';
import { test } from 'node:test';
import { SensoriumError } from '../../../lib/errors.js';
import { readEvents, readJson, startServer } from './support/harness.js';

test('completes a text with OpenAI’s default length', async (t) => {
  const { post, llm } = await startServer(t);
  const body = await readJson(await post('/v1/completions', { prompt: 'once', logprobs: 1 }));
  assert.match(body.id, /^cmpl-/);
  assert.equal(body.object, 'text_completion');
  assert.equal(body.choices[0].text, 'a b');
  assert.deepEqual(body.choices[0].logprobs, {
    tokens: ['a ', 'b'],
    token_logprobs: [-0.5, -0.5],
    top_logprobs: [{ 'a ': -0.5 }, { b: -0.5 }],
    text_offset: [0, 2],
  });
  assert.equal(llm.prompts[0]!.options.sampling!.maxTokens, 16);
});

test('takes several prompts of text or token ids and adds their usage', async (t) => {
  const { post, llm } = await startServer(t);
  const body = await readJson(
    await post('/v1/completions', { prompt: ['x', [1, 2]], n: 2, return_token_ids: true, max_tokens: 3 }),
  );
  assert.deepEqual(
    llm.prompts.map(({ prompt }) => prompt),
    ['x', [1, 2]],
  );
  assert.deepEqual(
    body.choices.map((choice: { index: number }) => choice.index),
    [0, 1, 2, 3],
  );
  assert.deepEqual(body.choices[3].prompt_token_ids, [1, 2, 3]);
  assert.equal(body.usage.prompt_tokens, 6);
  assert.equal(body.usage.completion_tokens, 8);
});

test('one prompt may be token ids', async (t) => {
  const { post, llm } = await startServer(t);
  const body = await readJson(await post('/v1/completions', { prompt: [5, 6], return_token_ids: true }));
  assert.deepEqual(llm.prompts[0]!.prompt, [5, 6]);
  assert.deepEqual(body.prompt_token_ids, [1, 2, 3]);
});

test('streams several prompts with the choices numbered through', async (t) => {
  const { post } = await startServer(t);
  const events = await readEvents(
    await post('/v1/completions', { prompt: ['x', 'y'], stream: true, logprobs: 0, return_token_ids: true }),
  );
  assert.equal(events.at(-1), '[DONE]');
  const second = events.filter((event) => event.choices?.[0]?.index === 1);
  assert.equal(second.map((event) => event.choices[0].text).join(''), 'a b');
  assert.deepEqual(second[0].choices[0].prompt_token_ids, [1, 2, 3]);
  assert.equal(second[1].choices[0].prompt_token_ids, undefined);
  assert.deepEqual(second[1].choices[0].logprobs.text_offset, [2]);
  assert.equal(second[1].choices[0].finish_reason, 'stop');
});

test('echo puts each prompt before its answers, as it was written or as its tokens read', async (t) => {
  const { post } = await startServer(t);
  const asked = { prompt: ['x ', [121, 32]], n: 2, echo: true };
  const body = await readJson(await post('/v1/completions', asked));
  const texts = body.choices.map((choice: { text: string }) => choice.text);
  assert.deepEqual(texts, ['x a b', 'x a b', 'y a b', 'y a b']);
  assert.equal(body.usage.completion_tokens, 8);
  const events = await readEvents(await post('/v1/completions', { ...asked, stream: true }));
  for (const [index, expected] of texts.entries()) {
    const pieces = events.filter((event) => event.choices?.[0]?.index === index);
    assert.equal(pieces.map((event) => event.choices[0].text).join(''), expected);
    assert.equal(pieces.at(-1).choices[0].finish_reason, 'stop');
  }
});

test('echo without a token is the prompt alone', async (t) => {
  const { post } = await startServer(t);
  const asked = { prompt: ['x', 'y'], echo: true, max_tokens: 0, return_token_ids: true };
  const body = await readJson(await post('/v1/completions', asked));
  assert.deepEqual(
    body.choices.map((choice: any) => [choice.text, choice.finish_reason, choice.token_ids]),
    [
      ['x', 'length', []],
      ['y', 'length', []],
    ],
  );
  const { prompt_tokens, completion_tokens, total_tokens } = body.usage;
  assert.deepEqual([prompt_tokens, completion_tokens, total_tokens], [6, 0, 6]);
  const streamed = { ...asked, stream: true, stream_options: { include_usage: true } };
  const events = await readEvents(await post('/v1/completions', streamed));
  const choices = events.flatMap((event) => event.choices ?? []);
  assert.deepEqual(
    choices.map(({ index, text, finish_reason }: any) => [index, text, finish_reason]).sort(),
    [
      [0, 'x', 'length'],
      [1, 'y', 'length'],
    ],
  );
  assert.equal(events.at(-2).usage.completion_tokens, 0);
});

test('refuses prompts that are empty or not prompts, by name', async (t) => {
  const { post } = await startServer(t);
  const cases: [unknown, string, string | null][] = [
    ['', 'prompt_empty', 'prompt'],
    [[], 'prompt_empty', 'prompt'],
    [['a', ''], 'prompt_empty', 'prompt[1]'],
    [[1, -1], 'invalid_type', 'prompt[1]'],
    [[1, 1.5], 'invalid_type', 'prompt[1]'],
    [['a', 3], 'invalid_type', 'prompt[1]'],
    [{}, 'invalid_type', 'prompt'],
    [Array(200).fill('a'), 'invalid_value', 'prompt'],
  ];
  for (const [prompt, code, param] of cases) {
    const response = await post('/v1/completions', { prompt });
    const { error } = await readJson(response);
    assert.equal(response.status, 400);
    assert.deepEqual([error.code, error.param], [code, param], JSON.stringify(prompt));
  }
});

test('a prompt that is refused later is named by its entry', async (t) => {
  const submitError = new SensoriumError('prompt_too_long', 'Too long.', { param: 'prompt' });
  const { post } = await startServer(t, { submitError });
  const one = await readJson(await post('/v1/completions', { prompt: 'x' }));
  assert.equal(one.error.param, 'prompt');
  const two = await readJson(await post('/v1/completions', { prompt: ['x', 'y'] }));
  assert.equal(two.error.param, 'prompt[0]');
});
