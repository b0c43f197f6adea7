import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { dataUrl } from './support/samples.js';
import { useServer } from './support/server.js';

const service = useServer();
const TOOL = { type: 'function', function: { name: 'f', parameters: { type: 'object', properties: {} } } };

/** Text of the answer to a raw body: what clients of other languages send, types aside. */
async function ask(path: string, body: object): Promise<string> {
  const response = await fetch(`${service.url}${path}`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ model: service.model, max_tokens: 2, temperature: 0, ...body }),
  });
  const answer = (await response.json()) as any;
  assert.equal(response.status, 200, `${JSON.stringify(body).slice(0, 200)}: ${answer.error?.message}`);
  return answer.choices[0].message?.content ?? answer.choices[0].text;
}

const askChat = (fields: object): Promise<string> =>
  ask('/v1/chat/completions', { messages: [{ role: 'user', content: 'hello' }], ...fields });

const NULLS = [
  ...['frequency_penalty', 'logit_bias', 'logprobs', 'n', 'presence_penalty', 'seed', 'stop', 'stream'],
  ...['stream_options', 'top_p', 'user', 'echo', 'prompt_logprobs', 'structured_outputs', 'bad_words'],
  ...['allowed_token_ids', 'top_k', 'min_p', 'repetition_penalty', 'min_tokens', 'return_token_ids'],
  ...['stop_token_ids', 'ignore_eos', 'skip_special_tokens', 'cache_salt', 'use_beam_search'],
];

describe('what clients send that ask for nothing', () => {
  test('null for every optional field', async () => {
    const chatOnly = [
      ...['max_tokens', 'top_logprobs', 'tools', 'tool_choice', 'response_format', 'reasoning_effort'],
      ...['parallel_tool_calls', 'metadata', 'store', 'service_tier', 'modalities', 'audio', 'prediction'],
      ...['functions', 'function_call', 'verbosity', 'mm_processor_kwargs', 'media_io_kwargs', 'documents'],
      ...['chat_template', 'chat_template_kwargs', 'add_generation_prompt', 'continue_final_message'],
    ];
    const nulls = (names: string[]): object => Object.fromEntries(names.map((name) => [name, null]));
    const plain = await askChat({ max_completion_tokens: 2 });
    assert.equal(await askChat({ max_completion_tokens: 2, ...nulls([...NULLS, ...chatOnly]) }), plain);
    const prompt = 'the image';
    const completionOnly = ['suffix', 'best_of', 'response_format'];
    assert.equal(
      await ask('/v1/completions', { prompt, ...nulls([...NULLS, ...completionOnly]) }),
      await ask('/v1/completions', { prompt }),
    );
  });

  test('null inside of fields, messages and parts', async () => {
    const fields = {
      stream_options: null,
      media_io_kwargs: { image: null, video: null, audio: null },
      mm_processor_kwargs: { max_pixels: null, images_kwargs: null },
      response_format: { type: 'text', json_schema: null },
      chat_template_kwargs: { enable_thinking: null },
    };
    const url = dataUrl('shape-1.png');
    const content = [
      { type: 'image_url', image_url: { url, detail: null }, text: null, uuid: null, min_pixels: null },
      { type: 'text', text: 'Describe this image.', image_url: null, cache_control: null },
    ];
    const nulls = { name: null, refusal: null, tool_calls: null, function_call: null, audio: null };
    const messages = [
      { role: 'user', content: 'hello', name: null },
      { role: 'assistant', content: null, ...nulls },
      { role: 'user', content, ...nulls },
    ];
    assert.equal(typeof (await askChat({ messages, ...fields })), 'string');
  });

  test('the values that clients have for "as usual"', async () => {
    const plain = await askChat({});
    const usual: object[] = [
      { tools: [] },
      { tools: [], tool_choice: 'auto', parallel_tool_calls: true },
      { tool_choice: 'none' },
      { tool_choice: 'auto' },
      { functions: [], function_call: 'none' },
      { function_call: 'auto' },
      { response_format: { type: 'text' } },
      { store: false, metadata: { a: 'b' }, user: 'me', service_tier: 'auto', safety_identifier: 'me' },
      { reasoning_effort: 'minimal' },
      { verbosity: 'medium', modalities: ['text'], prediction: { type: 'content', content: 'x' } },
      { logit_bias: {}, stop: [], logprobs: false, n: 1, frequency_penalty: 0, presence_penalty: 0 },
      { stream: false, top_p: 1, top_k: -1, min_p: 0, repetition_penalty: 1, best_of: 1 },
      { max_tokens: 7, max_completion_tokens: 2 },
    ];
    for (const fields of usual) assert.equal(await askChat(fields), plain, JSON.stringify(fields));
    // Templates that know no tools leave them out.
    assert.equal(await askChat({ tools: [TOOL], tool_choice: 'none' }), plain);
  });
});

test('completions echo their prompts for the stock client', async () => {
  const { client, model } = service;
  const asked = { model, prompt: ['the image', 'a red'], max_tokens: 3, temperature: 0 };
  const plain = await client.completions.create(asked);
  const echoed = await client.completions.create({ ...asked, echo: true });
  assert.deepEqual(
    echoed.choices.map(({ text }) => text),
    asked.prompt.map((prompt, i) => prompt + plain.choices[i]!.text),
  );
  const texts = ['', ''];
  for await (const { choices } of await client.completions.create({ ...asked, echo: true, stream: true }))
    for (const { index, text } of choices) texts[index] += text;
  assert.deepEqual(
    texts,
    echoed.choices.map(({ text }) => text),
  );
  const only = await client.completions.create({ ...asked, echo: true, max_tokens: 0 });
  assert.deepEqual(
    only.choices.map(({ text }) => text),
    asked.prompt,
  );
  await assert.rejects(client.completions.create({ ...asked, echo: true, logprobs: 1 }), { status: 501 });
});
