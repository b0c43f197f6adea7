import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import type { TranscribeOptions } from '../../../lib/llm/types.js';
import { LLM } from '../../../lib/llm.js';
import type { Transcription, TranscriptionWord } from '../../../lib/transcription/types.js';
import { goldenCases, modelFolderOf, type GoldenCase } from '../support/goldens.js';
import { makeWhisperFolder } from '../support/whisper-folder.js';

const cases = goldenCases('whisper');
const short = cases.find(({ name }) => name === 'transcribe_en_3s') as GoldenCase;
const soundOf = ({ folder, request }: GoldenCase): string => join(folder, request.file.replace('file:', ''));

const optionsOf = ({ request }: GoldenCase, hasTimestamps: boolean): TranscribeOptions => ({
  task: request.endpoint.endsWith('translations') ? 'translate' : 'transcribe',
  language: request.language,
  temperature: 0,
  maxTokens: 40,
  hasTimestamps,
});

/** Words join to the text; their times ascend and lie in the sound. */
function checkWords({ words, text, duration }: Transcription): TranscriptionWord[] {
  assert.ok(words !== undefined);
  assert.equal(words.map(({ word }) => word).join(''), text);
  let last = 0;
  for (const { start, end } of words) {
    assert.ok(last <= start && start <= end && end <= duration, `${last} ${start} ${end} ${duration}`);
    last = end;
  }
  return words;
}

/** The short sound's samples, `count` times. */
function repeated(count: number): { samples: Float32Array; samplingRate: number } {
  const bytes = readFileSync(soundOf(short));
  const numSamples = (bytes.length - 44) / 2;
  const samples = new Float32Array(count * numSamples).map(
    (_, i) => bytes.readInt16LE(44 + 2 * (i % numSamples)) / 32768,
  );
  return { samples, samplingRate: 16_000 };
}

describe('times of words', () => {
  let llm: LLM;
  before(async () => {
    llm = await LLM.load({ model: modelFolderOf('whisper'), dtype: 'float32' });
  });
  after(() => llm.close());

  for (const golden of cases) {
    test(`of ${golden.name}`, async () => {
      for (const hasTimestamps of [false, true]) {
        const options = optionsOf(golden, hasTimestamps);
        const plain = await llm.transcribe(soundOf(golden), options);
        assert.ok(!('words' in plain));
        const { words, ...rest } = await llm.transcribe(soundOf(golden), {
          ...options,
          hasWordTimestamps: true,
        });
        assert.deepEqual(rest, plain);
        checkWords({ ...rest, words });
      }
    });
  }

  test('are the same beside other requests', async () => {
    const run = (golden: GoldenCase): Promise<Transcription> =>
      llm.transcribe(soundOf(golden), { ...optionsOf(golden, true), hasWordTimestamps: true });
    const alone: Transcription[] = [];
    for (const golden of cases) alone.push(await run(golden));
    assert.deepEqual(await Promise.all(cases.map(run)), alone);
    assert.equal(llm.stats().numUsedBlocks, 0);
  });

  test('go on from window to window', async () => {
    const options = { language: 'en', temperature: 0, maxTokensPerWindow: 24, hasWordTimestamps: true };
    const result = await llm.transcribe(repeated(23), options);
    const words = checkWords(result);
    assert.ok(new Set(result.segments.map(({ seek }) => seek)).size > 2);
    assert.ok((words.at(-1)?.end ?? 0) > 30);
  });

  test('are there for answers that are cut short, and none where nothing is said', async () => {
    const cut = await llm.transcribe(soundOf(short), {
      language: 'en',
      temperature: 0,
      maxTokens: 1,
      hasWordTimestamps: true,
    });
    assert.equal(checkWords(cut).length, 1);
    const silent = { samples: new Float32Array(1600), samplingRate: 16_000 };
    checkWords(await llm.transcribe(silent, { maxTokens: 8, hasWordTimestamps: true }));
    const timed = { language: 'en', temperature: 0, maxTokens: 1, hasTimestamps: true };
    const nothing = await llm.transcribe(soundOf(short), { ...timed, hasWordTimestamps: true });
    assert.deepEqual([nothing.text, nothing.words], ['', []]);
  });

  test('come with the end of a stream', async () => {
    const options = { ...optionsOf(short, false), hasWordTimestamps: true };
    for await (const event of llm.transcribeStream(soundOf(short), options)) {
      if (event.type === 'done') assert.ok(checkWords(event.transcription).length > 0);
    }
  });

  test('are awaited no longer once a signal fires', async () => {
    const controller = new AbortController();
    const running = llm.transcribe(repeated(23), {
      ...optionsOf(short, true),
      hasWordTimestamps: true,
      signal: controller.signal,
    });
    const refused = assert.rejects(running, { code: 'request_cancelled' });
    while (llm.stats().numRunning === 0) await new Promise((resolve) => setTimeout(resolve, 5));
    controller.abort();
    await refused;
    // The engine hears of it with its next step.
    for (let i = 0; i < 1000 && llm.stats().numUsedBlocks > 0; i++)
      await new Promise((resolve) => setTimeout(resolve, 5));
    assert.equal(llm.stats().numUsedBlocks, 0);
  });
});

test('a checkpoint that names no heads has times of words too', async () => {
  const { folder, remove } = makeWhisperFolder({ alignment_heads: undefined });
  const llm = await LLM.load({ model: folder, dtype: 'float32' });
  try {
    const options = { ...optionsOf(short, true), hasWordTimestamps: true };
    assert.ok(checkWords(await llm.transcribe(soundOf(short), options)).length > 0);
  } finally {
    await llm.close();
    remove();
  }
});

test("heads of another model's make no times of words, and nothing else is refused", async () => {
  const { folder, remove } = makeWhisperFolder({ alignment_heads: [[25, 6]] });
  const llm = await LLM.load({ model: folder, dtype: 'float32' });
  try {
    const refused = { code: 'not_supported', param: 'hasWordTimestamps', message: /alignment_heads/ };
    await assert.rejects(llm.transcribe(soundOf(short), { hasWordTimestamps: true }), refused);
    assert.notEqual((await llm.transcribe(soundOf(short), optionsOf(short, false))).text, '');
  } finally {
    await llm.close();
    remove();
  }
});
