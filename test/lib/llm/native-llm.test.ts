import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { SensoriumError, type ErrorCode } from '../../../lib/errors.js';
import { LLM, type ChatMessageInput } from '../../../lib/llm.js';
import { REPOSITORY } from '../support/goldens.js';

const SAMPLES = join(REPOSITORY, 'models', 'demo', 'samples');
const IMAGE = join(SAMPLES, 'shape-1.png');

const user = (...content: (string | Record<string, unknown>)[]): ChatMessageInput[] => [
  { role: 'user', content },
];
const ASK_IMAGE = user({ type: 'image', image: IMAGE }, "What's in this image?");
const GREEDY = { temperature: 0, maxTokens: 24 };

const hasCode = (code: ErrorCode) => (error: unknown) =>
  error instanceof SensoriumError && error.code === code;

async function untilIdle(llm: LLM): Promise<void> {
  while (llm.stats().numRunning > 0 || llm.stats().numUsedBlocks > 0) await sleep(2);
}

describe('the demo model in process', () => {
  let llm: LLM;
  before(async () => (llm = await LLM.load({ maxModelLen: 2048 })));
  after(() => llm.close());

  test('says what it is', () => {
    assert.equal(llm.maxModelLen, 2048);
    assert.deepEqual([llm.info.hasImage, llm.info.hasVideo, llm.info.hasAudio], [true, true, true]);
    assert.deepEqual(llm.mediaRules.modalities, ['image', 'video', 'audio']);
  });

  test('a stop string ends the answer before it, and the engine frees the request', async () => {
    const whole = (await llm.chat(ASK_IMAGE, GREEDY)).outputs[0]?.text ?? '';
    assert.match(whole, / rectangle /);
    const { outputs } = await llm.chat(ASK_IMAGE, { ...GREEDY, stop: ' rectangle ' });
    assert.equal(outputs[0]?.text, whole.slice(0, whole.indexOf(' rectangle ')));
    assert.equal(outputs[0].finishReason, 'stop');
    assert.equal(outputs[0].stopReason, ' rectangle ');
    await untilIdle(llm);
  });

  test('a stream gives the same text, one delta a token', async () => {
    const { outputs } = await llm.chat(ASK_IMAGE, GREEDY);
    let text = '';
    const tokenIds: number[] = [];
    let numDeltas = 0;
    for await (const delta of llm.chatStream(ASK_IMAGE, GREEDY)) {
      numDeltas++;
      text += delta.text;
      tokenIds.push(...delta.tokenIds);
      assert.ok(delta.tokenIds.length <= 1);
    }
    assert.equal(text, outputs[0]?.text);
    assert.deepEqual(tokenIds, outputs[0]?.tokenIds);
    assert.ok(numDeltas >= tokenIds.length);
  });

  test('leaving a stream, or its signal, frees the blocks', async () => {
    const endless = { temperature: 1, ignoreEos: true, maxTokens: 1500 };
    for await (const delta of llm.chatStream(ASK_IMAGE, endless)) if (delta.tokenIds.length > 0) break;
    await untilIdle(llm);
    const controller = new AbortController();
    const running = llm.chat(ASK_IMAGE, { ...endless, signal: controller.signal });
    setTimeout(() => controller.abort(), 20);
    await assert.rejects(running, hasCode('request_cancelled'));
    await untilIdle(llm);
  });

  test('n continuations, seeded: the same again', async () => {
    const options = { temperature: 2, n: 3, seed: 1, maxTokens: 8, ignoreEos: true };
    const first = await llm.chat(user('Hello'), options);
    const second = await llm.chat(user('Hello'), options);
    assert.deepEqual(
      first.outputs.map(({ tokenIds }) => tokenIds),
      second.outputs.map(({ tokenIds }) => tokenIds),
    );
    assert.equal(first.usage.completionTokens, 24);
    assert.equal(new Set(first.outputs.map(({ text }) => text)).size > 1, true);
  });

  test('logprobs: the chosen token first among the best, bytes that spell the text', async () => {
    const { outputs } = await llm.chat(user('Hello'), { ...GREEDY, logprobs: 3 });
    const [output] = outputs;
    assert.equal(output?.logprobs?.length, output?.tokenIds.length);
    for (const logprob of output?.logprobs ?? []) {
      assert.equal(logprob.rank, 1);
      assert.equal(logprob.top.length, 3);
      assert.equal(logprob.top[0]?.tokenId, logprob.tokenId);
      assert.ok(logprob.logprob <= 0);
    }
    const bytes = output?.logprobs?.slice(0, -1).flatMap((logprob) => logprob.bytes) ?? [];
    assert.equal(Buffer.from(bytes).toString(), output?.text);
  });

  test('a picture seen before is neither encoded nor computed again', async () => {
    const cold = user({ type: 'image', image: join(SAMPLES, 'shape-3.png') }, 'Describe this image.');
    llm.resetCaches();
    const first = await llm.chat(cold, GREEDY);
    const second = await llm.chat(cold, GREEDY);
    assert.equal(first.usage.cachedTokens, 0);
    assert.ok(second.usage.cachedTokens > 0);
    assert.ok(first.usage.imageTokens > 0);
    assert.equal(second.outputs[0]?.text, first.outputs[0]?.text);
    const other = await llm.chat(cold, { ...GREEDY, cacheSalt: 'another tenant' });
    assert.equal(other.usage.cachedTokens, 0);
  });

  test('a uuid stands for its picture, for its tenant', async () => {
    const withData = user({ type: 'image', image: IMAGE, uuid: 'pic' }, 'Describe this image.');
    const withoutData = user({ type: 'image', image: null, uuid: 'pic' }, 'Describe this image.');
    const first = await llm.chat(withData, { ...GREEDY, cacheSalt: 'a' });
    const second = await llm.chat(withoutData, { ...GREEDY, cacheSalt: 'a' });
    assert.equal(second.outputs[0]?.text, first.outputs[0]?.text);
    await assert.rejects(llm.chat(withoutData, { ...GREEDY, cacheSalt: 'b' }), hasCode('media_cache_miss'));
  });

  test('generate places media by placeholders and by name of the modality', async () => {
    const { promptTokenIds, outputs } = await llm.chat(ASK_IMAGE, GREEDY);
    const prompt =
      '<|im_start|>system\nYou are Sensorium, a helpful assistant.<|im_end|>\n<|im_start|>user\n' +
      "<|vision_bos|><|IMAGE|><|vision_eos|>What's in this image?<|im_end|>\n<|im_start|>assistant\n";
    const multiModalData = { image: readFileSync(IMAGE) };
    const byText = await llm.generate({ prompt, multiModalData }, GREEDY);
    assert.deepEqual(byText.promptTokenIds, promptTokenIds);
    assert.equal(byText.outputs[0]?.text, outputs[0]?.text);
    const byIds = await llm.generate({ prompt: llm.tokenize(prompt), multiModalData }, GREEDY);
    assert.deepEqual(byIds.promptTokenIds, promptTokenIds);
    await assert.rejects(
      llm.generate({ prompt: 'no place', multiModalData }, GREEDY),
      hasCode('placeholder_mismatch'),
    );
    await assert.rejects(llm.generate(prompt, GREEDY), hasCode('placeholder_mismatch'));
  });

  test('sixteen different requests at once give what each gives alone', async () => {
    const files = ['shape-1.png', 'shape-2.jpg', 'shape-3.png', 'text-1.png', 'text-2.jpg'];
    const conversations = Array.from({ length: 16 }, (_, i) => {
      const image = join(SAMPLES, files[i % files.length] ?? '');
      const media = i % 4 === 3 ? [] : [{ type: 'image', image }];
      return user(...media, `Question ${i}: what is this?`);
    });
    const alone: (number[] | undefined)[] = [];
    for (const conversation of conversations)
      alone.push((await llm.chat(conversation, GREEDY)).outputs[0]?.tokenIds);
    llm.resetCaches();
    const together = await llm.chat(conversations, GREEDY);
    assert.deepEqual(
      together.map(({ outputs }) => outputs[0]?.tokenIds),
      alone,
    );
  });

  test("bad requests beside good ones change nobody else's answer", async () => {
    const right = (await llm.chat(ASK_IMAGE, GREEDY)).outputs[0]?.text;
    const bad: [messages: ChatMessageInput[], code: ErrorCode][] = [
      [user({ type: 'image', image: Uint8Array.of(1, 2, 3) }, 'x'), 'invalid_image'],
      [user({ type: 'audio', audio: Buffer.from('RIFF....WAVE') }, 'x'), 'invalid_audio'],
      [user({ type: 'image', image: '/no/such/file.png' }, 'x'), 'local_file_not_found'],
      [user({ type: 'image_url', image_url: 'http://127.0.0.1:1/a.png' }, 'x'), 'media_address_refused'],
      [user('x '.repeat(4000)), 'prompt_too_long'],
    ];
    const good = Array.from({ length: 4 }, () => llm.chat(ASK_IMAGE, GREEDY));
    await Promise.all(
      bad.map(([messages, code]) => assert.rejects(llm.chat(messages, GREEDY), hasCode(code), code)),
    );
    for (const { outputs } of await Promise.all(good)) assert.equal(outputs[0]?.text, right);
  });

  test('usage and timings add up', async () => {
    llm.resetCaches();
    const { usage, timings, promptTokenIds, outputs } = await llm.chat(ASK_IMAGE, GREEDY);
    assert.equal(usage.promptTokens, promptTokenIds.length);
    assert.equal(usage.completionTokens, outputs[0]?.tokenIds.length);
    assert.equal(usage.totalTokens, usage.promptTokens + usage.completionTokens);
    assert.ok(
      timings.preprocessMs > 0 && timings.encodeMs > 0 && timings.prefillMs > 0 && timings.decodeMs > 0,
    );
    assert.ok(timings.timeToFirstTokenMs <= timings.totalMs);
  });
});

test('limits per prompt hold before anything is read', async () => {
  const llm = await LLM.load({ limitMmPerPrompt: { image: 1, video: 0 } });
  const missing = { type: 'image', image: '/no/such/file.png' };
  await assert.rejects(llm.chat(user(missing, missing)), hasCode('too_many_media'));
  await assert.rejects(
    llm.chat(user({ type: 'video', video: '/no/such/file.mp4' })),
    hasCode('too_many_media'),
  );
  await llm.close();
});

test('closing gives running requests their grace', async () => {
  const llm = await LLM.load();
  const running = llm.chat(ASK_IMAGE, GREEDY);
  await llm.close({ graceMs: 30_000 });
  assert.equal((await running).outputs[0]?.finishReason, 'stop');
});

test('a table that this machine cannot run is refused by its own code', async () => {
  await assert.rejects(LLM.load({ isa: 'mmx' }), hasCode('isa_unavailable'));
});

test('a closed model says so', async () => {
  const llm = await LLM.load({ maxModelLen: 64 });
  await llm.close();
  assert.throws(() => llm.stats(), hasCode('engine_unavailable'));
  assert.throws(() => llm.resetCaches(), hasCode('engine_unavailable'));
});

test('placeholders without their media are the fault of the prompt', async () => {
  const llm = await LLM.load({ maxModelLen: 64 });
  const isOfPrompt = (error: SensoriumError): boolean =>
    error.code === 'placeholder_mismatch' && error.param === 'prompt';
  await assert.rejects(llm.generate('<|vision_bos|><|IMAGE|><|vision_eos|>'), isOfPrompt);
  const long = llm.chat(user('x '.repeat(100)));
  await assert.rejects(
    long,
    (error: SensoriumError) => error.code === 'prompt_too_long' && error.param === 'messages',
  );
  await llm.close();
});
