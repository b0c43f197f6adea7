import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { LLM, type EmbeddingResult, type PromptInput } from '../../../lib/llm.js';
import { openTensors } from '../media/support/goldens.js';
import { goldenCases, modelFolderOf, type GoldenCase } from '../support/goldens.js';

const FAMILY = 'vlm2vec';
const isPresent = existsSync(modelFolderOf(FAMILY));
const cases = isPresent ? goldenCases(FAMILY) : [];
const OPTIONS = isPresent ? {} : { skip: `no goldens of ${FAMILY}` };

/** The request as a prompt of `embed`: /v1/embeddings puts the picture's placeholder before the text. */
function promptOf({ request, expected, folder }: GoldenCase): PromptInput {
  if (typeof request.input === 'string') return request.input as string;
  const image = new Uint8Array(readFileSync(join(folder, 'm1.png')));
  return { prompt: expected.prompt_text as string, multiModalData: { image } };
}

function check(golden: GoldenCase, { embedding, usage }: EmbeddingResult, name = 'embedding'): void {
  const expected = openTensors(join(golden.folder, 'expected.safetensors'))(name) as Float32Array;
  assert.equal(embedding.length, expected.length);
  embedding.forEach((value, i) =>
    assert.ok(Math.abs(value - (expected[i] as number)) <= 1e-4, `${name}[${i}]`),
  );
  assert.equal(usage.promptTokens, golden.expected.prompt_tokens);
}

describe('embed', OPTIONS, () => {
  let llm: LLM;
  before(async () => {
    llm = await LLM.load({ model: modelFolderOf(FAMILY), dtype: 'float32', maxModelLen: 2048 });
  });
  after(() => llm.close());

  for (const golden of cases) {
    test(golden.name, async () => check(golden, await llm.embed(promptOf(golden))));
  }

  test('a list gives a list, whatever runs beside it', async () => {
    const [results] = await Promise.all([
      llm.embed(cases.map(promptOf)),
      llm.generate('a house', { maxTokens: 4, temperature: 0 }),
    ]);
    assert.equal(results.length, cases.length);
    results.forEach((result, i) => check(cases[i] as GoldenCase, result));
  });

  test('a list of more prompts than the engine queues is computed; a bad one is named', async () => {
    const many = Array.from({ length: 1_200 }, (_, i) => [5 + (i % 20), 7]);
    assert.equal((await llm.embed(many)).length, many.length);
    await assert.rejects(llm.embed(['cat', '']), { code: 'prompt_empty', message: /Entry 1 of the batch/ });
  });

  test('normalize: false gives the hidden state itself', async () => {
    for (const golden of cases) {
      check(golden, await llm.embed(promptOf(golden), { normalize: false }), 'pooled_hidden');
    }
  });

  test('refuses misspelled options, empty and too long prompts', async () => {
    const isCode = (code: string) => (error: { code?: string }) => error.code === code;
    await assert.rejects(llm.embed('cat', { normalise: true } as object), isCode('invalid_option'));
    await assert.rejects(llm.embed('cat', { normalize: 1 } as object), isCode('invalid_option'));
    await assert.rejects(llm.embed(''), isCode('prompt_empty'));
    await assert.rejects(llm.embed(Array<number>(2049).fill(7)), isCode('prompt_too_long'));
    await assert.rejects(llm.embed('cat', { signal: AbortSignal.abort() }), isCode('request_cancelled'));
  });
});
