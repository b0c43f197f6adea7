import assert from 'node:assert/strict';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { LLM, type ChatMessageInput } from '../../../lib/llm.js';
import { readJson, REPOSITORY } from '../support/goldens.js';

interface Sample {
  files: string[];
  kind: 'image' | 'audio' | 'video';
  question: string;
  expected: string;
  model?: string;
}

const SAMPLES = join(REPOSITORY, 'models', 'demo', 'samples');
const samples = readJson(join(SAMPLES, 'expected.json')) as Sample[];

function toMessages({ files, kind, question }: Sample): ChatMessageInput[] {
  const media = files.map((file) => ({ type: kind, [kind]: join(SAMPLES, file) }));
  return [{ role: 'user', content: [...media, { type: 'text', text: question }] }];
}

/** Where the trained model itself was off, its own answer counts too. */
const isRight = ({ model, expected }: Sample, text: string | undefined): boolean =>
  text === expected || text === model;

for (const dtype of ['bfloat16', 'float32'] as const) {
  describe(`the demo model's samples, ${dtype}`, () => {
    let llm: LLM;
    let alone: string[];
    before(async () => {
      llm = await LLM.load({ model: join(REPOSITORY, 'models', 'demo'), dtype });
    });
    after(() => llm.close());

    test('one by one', async () => {
      alone = [];
      for (const sample of samples) {
        const { outputs } = await llm.chat(toMessages(sample));
        const text = outputs[0]?.text ?? '';
        assert.ok(isRight(sample, text), `${sample.question} ${text}`);
        alone.push(text);
      }
    });

    test('all at once, as a batch', async () => {
      const results = await llm.chat(samples.map(toMessages));
      assert.deepEqual(
        results.map(({ outputs }) => outputs[0]?.text),
        alone,
      );
    });
  });
}
