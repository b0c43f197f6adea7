import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import type { TranscribeOptions } from '../../../lib/llm/types.js';
import { LLM } from '../../../lib/llm.js';
import type { Transcription, TranscriptionEvent } from '../../../lib/transcription/types.js';
import { goldenCases, modelFolderOf, type GoldenCase } from '../support/goldens.js';

const cases = goldenCases('whisper');
const soundOf = (golden: GoldenCase): string => join(golden.folder, golden.request.file.replace('file:', ''));

function optionsOf({ request }: GoldenCase): TranscribeOptions {
  return {
    task: request.endpoint.endsWith('translations') ? 'translate' : 'transcribe',
    language: request.language,
    prompt: request.prompt,
    temperature: request.temperature,
    maxTokens: request.max_tokens,
    maxTokensPerWindow: request.max_tokens_per_window,
    hasTimestamps: request.response_format === 'verbose_json',
  };
}

function check({ expected, request }: GoldenCase, result: Transcription): void {
  assert.equal(result.language, request.language ?? expected.detected_language);
  assert.ok(Math.abs(result.duration - expected.samples / 16_000) < 1e-9);
  if (expected.segments === undefined) {
    assert.deepEqual(result.segments[0]?.tokens, expected.generated_ids);
    assert.equal(result.text, expected.text);
    return;
  }
  const brief = (list: { start: number; end: number; tokens: number[]; text: string }[]): unknown =>
    list.map(({ start, end, tokens, text }) => [start.toFixed(3), end.toFixed(3), tokens, text]);
  assert.deepEqual(brief(result.segments), brief(expected.segments));
  assert.equal(result.text, expected.segments.map(({ text }: { text: string }) => text).join(''));
}

async function gather(stream: AsyncIterable<TranscriptionEvent>): Promise<[string, Transcription]> {
  let told = '';
  for await (const event of stream) {
    if (event.type === 'done') return [told, event.transcription];
    told += event.text;
  }
  throw new Error('no end');
}

describe('whisper, float32', () => {
  let llm: LLM;
  const short = cases.find(({ name }) => name === 'transcribe_en_3s') as GoldenCase;
  before(async () => {
    llm = await LLM.load({ model: modelFolderOf('whisper'), dtype: 'float32' });
  });
  after(() => llm.close());

  for (const golden of cases) {
    test(golden.name, async () => check(golden, await llm.transcribe(soundOf(golden), optionsOf(golden))));
  }

  test('all at once', async () => {
    const results = await Promise.all(
      cases.map((golden) => llm.transcribe(soundOf(golden), optionsOf(golden))),
    );
    results.forEach((result, i) => check(cases[i] as GoldenCase, result));
    assert.equal(llm.stats().numUsedBlocks, 0);
  });

  test('what a stream tells is what the whole says', async () => {
    for (const golden of cases) {
      const [told, result] = await gather(llm.transcribeStream(soundOf(golden), optionsOf(golden)));
      check(golden, result);
      assert.equal(told, result.text);
    }
  });

  test('a stream of one window tells every token as it comes', async () => {
    let numDeltas = 0;
    for await (const event of llm.transcribeStream(soundOf(short), optionsOf(short))) {
      numDeltas += event.type === 'delta' ? 1 : 0;
    }
    assert.ok(numDeltas > 1);
  });

  test('bytes and samples are heard as files are', async () => {
    const bytes = readFileSync(soundOf(short));
    check(short, await llm.transcribe(bytes, optionsOf(short)));
    const samples = new Float32Array((bytes.length - 44) / 2).map(
      (_, i) => bytes.readInt16LE(44 + 2 * i) / 32768,
    );
    check(short, await llm.transcribe({ samples, samplingRate: 16_000 }, optionsOf(short)));
  });

  test('the same sound gives the same text when nothing is said about temperature', async () => {
    const options = { language: 'en', maxTokens: 12, hasNoSpeechProbability: true };
    const first = await llm.transcribe(soundOf(short), options);
    assert.deepEqual(await llm.transcribe(soundOf(short), options), first);
    const probability = first.segments[0]?.noSpeechProbability ?? NaN;
    assert.ok(probability >= 0 && probability <= 1);
  });

  test('windows of a long sound are heard to its end', async () => {
    const bytes = readFileSync(soundOf(short));
    const numSamples = (bytes.length - 44) / 2;
    const samples = new Float32Array(11 * numSamples).map(
      (_, i) => bytes.readInt16LE(44 + 2 * (i % numSamples)) / 32768,
    );
    const options = { language: 'en', temperature: 0, maxTokensPerWindow: 24 };
    const result = await llm.transcribe({ samples, samplingRate: 16_000 }, options);
    const seeks = [...new Set(result.segments.map(({ seek }) => seek))];
    assert.equal(seeks[0], 0);
    assert.ok(seeks.every((seek, i) => i === 0 || seek > (seeks[i - 1] ?? 0)));
    // The last window holds the end, and the one before did not.
    assert.ok((seeks.at(-1) ?? 0) + 3000 >= 3300 && (seeks.at(-1) ?? 0) < 3300);
    assert.equal(result.duration, 33);
    const capped = await llm.transcribe({ samples, samplingRate: 16_000 }, { ...options, maxTokens: 30 });
    assert.ok(capped.usage.completionTokens <= 30);
  });

  test('different sounds under one request id are told apart', async () => {
    const requestId = 'same';
    for (const golden of cases.filter(({ request }) => request.max_tokens !== undefined)) {
      check(golden, await llm.transcribe(soundOf(golden), { ...optionsOf(golden), requestId }));
    }
  });

  test('leaving a stream ends the work', async () => {
    for await (const event of llm.transcribeStream(soundOf(short), { temperature: 0, maxTokens: 400 })) {
      assert.equal(event.type, 'delta');
      break;
    }
    while (llm.stats().numRunning > 0) await new Promise((resolve) => setTimeout(resolve, 5));
    assert.equal(llm.stats().numUsedBlocks, 0);
  });

  test('a signal cancels it', async () => {
    const signal = AbortSignal.abort();
    await assert.rejects(llm.transcribe(soundOf(short), { signal }), { code: 'request_cancelled' });
  });

  test('chats and prompts are refused', async () => {
    const refused = { code: 'unsupported_task', message: /transcriptions/ };
    await assert.rejects(llm.chat([{ role: 'user', content: 'hello' }]), refused);
    await assert.rejects(llm.generate('hello'), refused);
  });

  test('wrong options are refused by name', async () => {
    const rejects = (options: object, expected: object): Promise<void> =>
      assert.rejects(llm.transcribe(soundOf(short), options), expected);
    await rejects({ language: 'klingon' }, { code: 'invalid_value', param: 'language' });
    await rejects({ language: 'cy' }, { code: 'invalid_value', param: 'language' });
    await rejects({ language: 5 }, { code: 'invalid_type', param: 'language' });
    await rejects({ task: 'sing' }, { code: 'invalid_value', param: 'task' });
    await rejects({ maxTokens: 0 }, { code: 'invalid_value', param: 'maxTokens' });
    await rejects({ temperature: 3 }, { code: 'invalid_value', param: 'temperature' });
    await rejects({ max_tokens: 3 }, { code: 'invalid_option' });
    await assert.rejects(llm.transcribe(Buffer.from('no sound at all')), { param: 'audio' });
  });
});

test('models that chat do not write down speech', async () => {
  const llm = await LLM.load();
  try {
    assert.equal(llm.canTranscribe, false);
    await assert.rejects(llm.transcribe(new Float32Array(16_000)), { code: 'unsupported_task' });
  } finally {
    await llm.close();
  }
});
