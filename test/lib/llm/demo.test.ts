import assert from 'node:assert/strict';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { LLM, type ChatMessageInput } from '../../../lib/llm.js';
import { loadAddon } from '../../../lib/native/load.js';
import { isReadable } from '../support/ffmpeg.js';
import { readJson, REPOSITORY } from '../support/goldens.js';

interface Sample {
  files: string[];
  kind: 'image' | 'audio' | 'video';
  question: string;
  expected: string;
  model?: string;
}

const SAMPLES = join(REPOSITORY, 'models', 'demo', 'samples');
const samples = (readJson(join(SAMPLES, 'expected.json')) as Sample[]).filter(({ files }) =>
  isReadable(files),
);

function toMessages({ files, kind, question }: Sample): ChatMessageInput[] {
  const media = files.map((file) => ({ type: kind, [kind]: join(SAMPLES, file) }));
  return [{ role: 'user', content: [...media, { type: 'text', text: question }] }];
}

/** Where the trained model itself was off, its own answer counts too. */
const isRight = ({ model, expected }: Sample, text: string | undefined): boolean =>
  text === expected || text === model;

/** Every table this CPU runs; the tile table by emulation where the instructions are missing. */
const TABLES = [...new Set([...loadAddon().cpuInfo().isas, 'amx'])];

before(() => {
  process.env.SENSORIUM_EMULATE_TILES = '1';
});
after(() => {
  delete process.env.SENSORIUM_EMULATE_TILES;
});

const RUNS = TABLES.flatMap((isa) => (['bfloat16', 'float32'] as const).map((dtype) => ({ isa, dtype })));

for (const { isa, dtype } of RUNS) {
  describe(`the demo model's samples, ${isa}, ${dtype}`, () => {
    let llm: LLM;
    let alone: string[];
    before(async () => {
      llm = await LLM.load({ model: join(REPOSITORY, 'models', 'demo'), dtype, isa });
      assert.equal(llm.isa, isa);
    });
    after(() => llm.close());

    test('one by one', async (context) => {
      context.diagnostic(`tile unit: ${llm.tileUnit}`);
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
