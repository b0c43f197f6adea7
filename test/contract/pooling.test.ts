import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { describe, it } from 'node:test';
import type OpenAI from 'openai';
import { openTensors } from '../lib/media/support/goldens.js';
import { runCli } from '../lib/support/cli.js';
import { goldenCases, modelFolderOf, REPOSITORY } from '../lib/support/goldens.js';
import { useServer } from './support/server.js';

const PICTURE = path.join(REPOSITORY, 'models', 'demo', 'samples', 'shape-2.jpg');
const lengthOf = (values: number[]): number => Math.hypot(...values);
const cosine = (a: number[], b: number[]): number =>
  a.reduce((sum, value, i) => sum + value * b[i]!, 0) / (lengthOf(a) * lengthOf(b));

describe('a generating model served for embeddings', () => {
  const service = useServer(['--runner', 'pooling', '--dtype', 'float32']);
  const embed = async (
    input: OpenAI.EmbeddingCreateParams['input'],
    extra: object = {},
  ): Promise<number[][]> => {
    const { data } = await service.client.embeddings.create({ model: service.model, input, ...extra });
    return data.map(({ embedding }) => embedding);
  };

  it('gives unit vectors to the stock client, which asks for base64, and to one that asks for floats', async () => {
    const [[packed], [plain]] = await Promise.all([
      embed('a red circle'),
      embed('a red circle', { encoding_format: 'float' }),
    ]);
    assert.deepEqual(packed, plain);
    assert.ok(Math.abs(lengthOf(plain!) - 1) < 1e-5);
  });

  it('keeps order, and gives each text what it gets alone', async () => {
    const texts = ['a red circle', 'the word hello', 'a red circle', 'x'];
    const together = await embed(texts);
    for (const [i, text] of texts.entries()) assert.deepEqual(together[i], (await embed(text))[0]);
    assert.ok(cosine(together[0]!, together[1]!) < 0.9999);
  });

  it('takes hundreds of entries without a word on stderr', async () => {
    const texts = Array.from({ length: 300 }, (_, i) => `text ${i}`);
    assert.equal((await embed(texts)).length, texts.length);
    assert.equal(service.process.stderr(), '');
  });

  it('embeds messages with pictures, and a known picture by its id', async () => {
    const url = `data:image/jpeg;base64,${readFileSync(PICTURE).toString('base64')}`;
    const ask = async (image_url: object | null): Promise<number[]> => {
      const content = [
        { type: 'image_url', image_url, uuid: 'shape' },
        { type: 'text', text: 'Represent the given image.' },
      ];
      const response = await fetch(`${service.url}/v1/embeddings`, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify({ messages: [{ role: 'user', content }] }),
      });
      const body = (await response.json()) as { data: { embedding: number[] }[] };
      assert.equal(response.status, 200, JSON.stringify(body).slice(0, 200));
      return body.data[0]!.embedding;
    };
    assert.deepEqual(await ask({ url }), await ask(null));
  });

  it('refuses sizes that it was not trained for, and answers no chats', async () => {
    await assert.rejects(
      embed('a', { dimensions: 7 }),
      (error: { status?: number; code?: string; param?: string }) => {
        assert.equal(error.status, 400);
        assert.equal(error.param, 'dimensions');
        return true;
      },
    );
    const messages = [{ role: 'user' as const, content: 'hi' }];
    await assert.rejects(service.client.chat.completions.create({ model: service.model, messages }), {
      status: 404,
      code: 'unsupported_task',
    });
    await assert.rejects(service.client.completions.create({ model: service.model, prompt: 'a' }), {
      status: 404,
    });
  });
});

describe('sensorium embed', () => {
  it('prints a unit vector', async () => {
    const { code, stdout, stderr } = await runCli(['embed', '--prompt', 'a red circle', '--image', PICTURE]);
    assert.equal(code, 0, stderr);
    assert.ok(Math.abs(lengthOf(JSON.parse(stdout) as number[]) - 1) < 1e-5);
  });
});

const VLM2VEC = modelFolderOf('vlm2vec');
describe('VLM2Vec', existsSync(VLM2VEC) ? {} : { skip: 'no goldens of vlm2vec' }, () => {
  if (!existsSync(VLM2VEC)) return;
  const service = useServer([
    VLM2VEC,
    '--runner',
    'pooling',
    '--dtype',
    'float32',
    '--max-model-len',
    '2048',
  ]);

  for (const { name, folder, request, expected } of goldenCases('vlm2vec')) {
    it(`${name} is what the reference gives`, async () => {
      const inlined = JSON.stringify({ ...request, model: service.model }).replace(
        /file:([\w.]+)/g,
        (_, file: string) => {
          const bytes = readFileSync(path.join(folder, file));
          return `data:image/png;base64,${bytes.toString('base64')}`;
        },
      );
      const response = await fetch(`${service.url}/v1/embeddings`, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: inlined,
      });
      const body = (await response.json()) as {
        data: { embedding: number[] }[];
        usage: { prompt_tokens: number };
      };
      assert.equal(response.status, 200, JSON.stringify(body).slice(0, 300));
      const reference = openTensors(path.join(folder, 'expected.safetensors'))('embedding');
      body.data[0]!.embedding.forEach((value, i) =>
        assert.ok(Math.abs(value - Number(reference![i])) < 1e-4),
      );
      assert.equal(body.usage.prompt_tokens, expected.prompt_tokens);
    });
  }
});
