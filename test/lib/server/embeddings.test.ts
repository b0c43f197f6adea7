import assert from 'node:assert/strict';
import { test, type TestContext } from 'node:test';
import { readJson, startServer, type Harness } from './support/harness.js';

const PATH = '/v1/embeddings';

async function startPooling(context: TestContext): Promise<Harness> {
  const harness = await startServer(context);
  harness.llm.task = 'embed';
  return harness;
}

test('answers a text as OpenAI does', async (t) => {
  const { post, llm } = await startPooling(t);
  const body = await readJson(await post(PATH, { input: 'four', model: 'stub' }));
  assert.match(body.id, /^embd-/);
  assert.equal(body.object, 'list');
  assert.equal(body.model, 'stub');
  assert.deepEqual(body.data, [{ object: 'embedding', index: 0, embedding: [4, 0.5] }]);
  assert.deepEqual(body.usage, {
    prompt_tokens: 4,
    total_tokens: 4,
    prompt_tokens_details: { cached_tokens: 1 },
  });
  assert.equal(llm.pooled[0]!.isNormalized, true);
});

test('takes lists of texts, token ids and messages, in their order', async (t) => {
  const { post, llm } = await startPooling(t);
  const lengths = async (input: unknown): Promise<number[]> => {
    const { data } = await readJson(await post(PATH, { input }));
    return data.map(({ embedding }: { embedding: number[] }) => embedding[0]);
  };
  assert.deepEqual(await lengths(['a', 'bb', 'ccc']), [1, 2, 3]);
  assert.deepEqual(await lengths([1, 2, 3]), [3]);
  assert.deepEqual(await lengths([[1], [2, 3]]), [1, 2]);
  assert.deepEqual(await lengths([{ content: 'x' }, 'yy', [7, 8, 9]]), [1, 2, 3]);
  assert.equal(llm.pooledChats[0]![0]!.role, 'user');
});

test('takes a conversation, without a prompt to answer it', async (t) => {
  const { post, llm } = await startPooling(t);
  const content = [
    { type: 'image_url', image_url: { url: 'data:image/png;base64,AA==' } },
    { type: 'text', text: 'What is this?' },
  ];
  const messages = [{ role: 'user', content }];
  const response = await post(PATH, { messages, mm_processor_kwargs: { max_pixels: 100 } });
  assert.equal(response.status, 200);
  assert.equal(llm.pooledChats[0]![0]!.content[0]!.type, 'media');
  assert.equal(llm.pooled[0]!.addGenerationPrompt, false);
  assert.deepEqual(llm.pooled[0]!.mmProcessorKwargs, { max_pixels: 100 });
});

test('encodes base64 as little-endian float32', async (t) => {
  const { post } = await startPooling(t);
  const { data } = await readJson(await post(PATH, { input: 'abc', encoding_format: 'base64' }));
  const bytes = Buffer.from(data[0].embedding, 'base64');
  assert.deepEqual([bytes.readFloatLE(0), bytes.readFloatLE(4)], [3, 0.5]);
});

test('hands on dimensions and normalize', async (t) => {
  const { post, llm } = await startPooling(t);
  await post(PATH, { input: 'a', dimensions: 2, normalize: false });
  assert.equal(llm.pooled[0]!.dimensions, 2);
  assert.equal(llm.pooled[0]!.isNormalized, false);
});

test('names the entry at fault', async (t) => {
  const { post } = await startPooling(t);
  const cases: [body: object, code: string, param: string | null][] = [
    [{}, 'missing_field', 'input'],
    [{ input: 'a', messages: [{ role: 'user', content: 'b' }] }, 'invalid_value', 'input'],
    [{ input: '' }, 'prompt_empty', 'input'],
    [{ input: [] }, 'prompt_empty', 'input'],
    [{ input: ['a', ''] }, 'prompt_empty', 'input[1]'],
    [{ input: [1, -2] }, 'invalid_type', 'input[1]'],
    [{ input: ['a', 'thirteen long'] }, 'prompt_too_long', 'input[1]'],
    [{ input: 'thirteen long' }, 'prompt_too_long', 'input'],
    [{ input: 7 }, 'invalid_type', 'input'],
    [{ input: 'a', encoding_format: 'int8' }, 'invalid_value', 'encoding_format'],
    [{ input: 'a', dimensions: 0 }, 'invalid_value', 'dimensions'],
    [{ input: 'a', dimensions: 1.5 }, 'invalid_type', 'dimensions'],
    [{ input: [{ content: [{ type: 'nope' }] }] }, 'unknown_part_type', 'input[0].content[0].type'],
    [{ input: Array(2049).fill('a') }, 'invalid_value', 'input'],
    [{ input: 'a', model: 'other' }, 'model_not_found', 'model'],
  ];
  for (const [body, code, param] of cases) {
    const { error } = await readJson(await post(PATH, body));
    assert.equal(error?.code, code, JSON.stringify(body).slice(0, 80));
    assert.equal(error.param, param, JSON.stringify(body).slice(0, 80));
  }
});

test('is not there for models that are served to answer', async (t) => {
  const { post } = await startServer(t);
  const response = await post(PATH, { input: 'a' });
  assert.equal(response.status, 404);
  const { error } = await readJson(response);
  assert.equal(error.code, 'unsupported_task');
  assert.match(error.message, /--runner pooling/);
});
