import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { setImmediate as tick } from 'node:timers/promises';
import { Engine } from '../../../lib/engine/engine.js';
import type { OutputDelta, RunningRequest } from '../../../lib/engine/types.js';
import { SensoriumError } from '../../../lib/errors.js';
import { openModelFolder } from '../../../lib/model-folder/model-folder.js';
import type { NativeEngineOptions } from '../../../lib/native/addon.js';
import type { SamplingOptions } from '../../../lib/request/types.js';
import { Tokenizer } from '../../../lib/tokenizer/tokenizer.js';
import { modelFolderOf } from '../support/goldens.js';
import { FakeAddon, type FakeNativeEngine } from './fake-native.js';

const EOS = 485;

const OPTIONS: NativeEngineOptions = {
  model: '',
  dtype: 'float32',
  maxNumSeqs: 4,
  maxNumBatchedTokens: 64,
  maxModelLen: 128,
  blockSize: 16,
  encoderCacheBytes: 0,
  enablePrefixCaching: true,
  eosTokenIds: [EOS],
  maxQueued: 8,
};

interface Fixture {
  tokenizer: Tokenizer;
  engine: Engine;
  native: FakeNativeEngine;
  submit(sampling?: SamplingOptions, extra?: { signal?: AbortSignal; promptIds?: number[] }): RunningRequest;
}

async function openEngine(): Promise<Fixture> {
  const folder = await openModelFolder(modelFolderOf('qwen2'));
  const tokenizer = new Tokenizer(folder.tokenizerJson, folder.tokenizerConfig);
  const addon = new FakeAddon();
  const engine = await Engine.create(addon, OPTIONS, {
    tokenizer,
    samplingDefaults: { topK: 20, maxTokens: 64 },
  });
  return {
    tokenizer,
    engine,
    native: addon.engine,
    submit: (sampling = {}, { signal, promptIds = [1, 2, 3] } = {}) =>
      engine.submit({
        requestId: 'r',
        prompt: {
          promptIds: Int32Array.from(promptIds),
          media: [],
          numTokensByModality: { image: 0, video: 0, audio: 0 },
        },
        sampling,
        cacheSalt: '',
        signal,
      }),
  };
}

async function collect(running: RunningRequest): Promise<OutputDelta[]> {
  const deltas: OutputDelta[] = [];
  for await (const delta of running) deltas.push(delta);
  return deltas;
}

const hasCode = (code: string) => (error: unknown) => error instanceof SensoriumError && error.code === code;

describe('text of a stream', () => {
  test('several reads before the first delta get one each, and the end', async () => {
    const { tokenizer, native, submit } = await openEngine();
    const deltas = submit()[Symbol.asyncIterator]();
    const reads = [deltas.next(), deltas.next(), deltas.next(), deltas.next()];
    const [first, second] = tokenizer.encode('ab cd') as [number, number];
    native.send(1, [first]);
    native.send(1, [second]);
    native.send(1, [EOS], { finishReason: 'stop', stopTokenId: EOS });
    const [one, two, last, end] = await Promise.all(reads);
    assert.deepEqual([one?.value?.tokenIds, two?.value?.tokenIds], [[first], [second]]);
    assert.equal(last?.value?.finishReason, 'stop');
    assert.deepEqual(end, { done: true, value: undefined });
  });

  test('one delta an event, whole characters only, the end token left out', async () => {
    const { tokenizer, native, submit } = await openEngine();
    const running = submit();
    const ids = tokenizer.encode('a \u{1f600}!');
    for (const id of ids) native.send(1, [id]);
    native.send(1, [EOS], { finishReason: 'stop', stopTokenId: EOS });
    const deltas = await collect(running);
    assert.equal(deltas.length, ids.length + 1);
    assert.equal(deltas.map((delta) => delta.text).join(''), 'a \u{1f600}!');
    assert.ok(deltas.every((delta) => !delta.text.includes('\ufffd')));
    const { outputs, usage } = await running.result();
    assert.deepEqual(outputs[0]?.tokenIds, [...ids, EOS]);
    assert.equal(outputs[0]?.text, 'a \u{1f600}!');
    assert.equal(outputs[0]?.finishReason, 'stop');
    assert.equal(outputs[0]?.stopReason, null);
    assert.equal(usage.completionTokens, ids.length + 1);
  });

  test('a character cut off at the end becomes a replacement character', async () => {
    const { tokenizer, native, submit } = await openEngine();
    const running = submit();
    const [first] = tokenizer.encode('\u{1f600}');
    native.finish(1, 'length', 0, [first ?? 0]);
    assert.equal((await running.result()).outputs[0]?.text, '\ufffd');
  });

  test('a slow consumer gets everything in fewer pieces', async () => {
    const { tokenizer, native, submit } = await openEngine();
    const running = submit();
    const [id] = tokenizer.encode('x');
    for (let i = 0; i < 5000; i++) native.send(1, [id ?? 0]);
    native.finish(1, 'length');
    const deltas = await collect(running);
    assert.ok(deltas.length <= 257, String(deltas.length));
    assert.equal(deltas.map((delta) => delta.text).join(''), 'x'.repeat(5000));
    assert.equal(deltas.at(-1)?.finishReason, 'length');
  });

  test('logprobs carry bytes and the best tokens', async () => {
    const { tokenizer, native, submit } = await openEngine();
    const running = submit({ logprobs: 1 });
    const [id] = tokenizer.encode('x');
    assert.ok(id !== undefined);
    const logprob = { tokenId: id, logprob: -0.5, rank: 1, top: [[id, -0.5]] as [number, number][] };
    native.send(1, [id], { logprobs: [logprob], finishReason: 'length' });
    const { outputs } = await running.result();
    const token = { tokenId: id, token: 'x', bytes: [0x78], logprob: -0.5 };
    assert.deepEqual(outputs[0]?.logprobs, [{ ...token, rank: 1, top: [token] }]);
  });
});

describe('stop strings', () => {
  test('across tokens: nothing of it comes out, and the engine is told', async () => {
    const { tokenizer, native, submit } = await openEngine();
    const running = submit({ stop: ['END', 'never'] });
    for (const piece of ['one E', 'N', 'D two']) native.send(1, tokenizer.encode(piece));
    const deltas = await collect(running);
    assert.equal(deltas.map((delta) => delta.text).join(''), 'one ');
    assert.deepEqual(native.abortedSequences, [[1, 0]]);
    const { outputs } = await running.result();
    assert.equal(outputs[0]?.finishReason, 'stop');
    assert.equal(outputs[0]?.stopReason, 'END');
  });

  test('what only began as one comes out', async () => {
    const { tokenizer, native, submit } = await openEngine();
    const running = submit({ stop: 'END' });
    native.send(1, tokenizer.encode('one EN'));
    native.finish(1, 'length', 0, tokenizer.encode('T'));
    assert.equal((await running.result()).outputs[0]?.text, 'one ENT');
  });

  test('can be kept in the output', async () => {
    const { tokenizer, native, submit } = await openEngine();
    const running = submit({ stop: 'END', includeStopStrInOutput: true });
    native.send(1, tokenizer.encode('one END two'));
    assert.equal((await running.result()).outputs[0]?.text, 'one END');
  });

  test('end one continuation, not its sibling', async () => {
    const { tokenizer, native, submit } = await openEngine();
    const running = submit({ stop: 'END', n: 2 });
    native.send(1, tokenizer.encode('a END'), { index: 1 });
    await tick();
    native.send(1, tokenizer.encode('b'), { index: 0 });
    native.finish(1, 'length', 0);
    const { outputs } = await running.result();
    assert.deepEqual(
      outputs.map((output) => output.text),
      ['b', 'a '],
    );
    assert.deepEqual(native.abortedSequences, [[1, 1]]);
  });
});

describe('ends', () => {
  test('a signal cancels: the engine is told and the result rejects', async () => {
    const { engine, native, submit } = await openEngine();
    const controller = new AbortController();
    const running = submit({}, { signal: controller.signal });
    controller.abort();
    assert.deepEqual(native.aborted, [1]);
    await assert.rejects(running.result(), hasCode('request_cancelled'));
    await assert.rejects(collect(running), hasCode('request_cancelled'));
    assert.equal(engine.numRunning, 0);
  });

  test('a signal that has fired keeps the request out', async () => {
    const { native, submit } = await openEngine();
    assert.throws(() => submit({}, { signal: AbortSignal.abort() }), hasCode('request_cancelled'));
    assert.equal(native.requests.length, 0);
  });

  test('leaving the loop aborts', async () => {
    const { tokenizer, native, submit } = await openEngine();
    const running = submit();
    native.send(1, tokenizer.encode('a'));
    for await (const delta of running) {
      assert.equal(delta.text, 'a');
      break;
    }
    assert.deepEqual(native.aborted, [1]);
    assert.equal((await running.result()).outputs[0]?.finishReason, 'abort');
  });

  test("the engine's error reaches the request that it belongs to", async () => {
    const { native, submit } = await openEngine();
    const failing = submit();
    const other = submit();
    native.send(1, [], { finishReason: 'error', errorCode: 'out_of_memory', errorMessage: 'no room' });
    native.finish(2, 'length');
    await assert.rejects(failing.result(), hasCode('out_of_memory'));
    assert.equal((await other.result()).outputs.length, 1);
  });

  test('a full queue is queue_full', async () => {
    const { native, submit } = await openEngine();
    native.submitError = Object.assign(new Error('full'), { code: 'out_of_memory' });
    assert.throws(() => submit(), hasCode('queue_full'));
  });

  test('closing waits for what ends in time and aborts the rest', async () => {
    const { engine, native, submit } = await openEngine();
    const quick = submit();
    const slow = submit();
    const closing = engine.close(50);
    assert.throws(() => submit(), hasCode('shutting_down'));
    native.finish(1, 'length');
    await closing;
    assert.equal((await quick.result()).outputs[0]?.finishReason, 'length');
    await assert.rejects(slow.result(), hasCode('shutting_down'));
    assert.ok(native.isClosed);
  });
});

describe('what is refused', () => {
  const cases: [sampling: SamplingOptions, param: string][] = [
    [{ temperature: -0.1 }, 'temperature'],
    [{ temperature: 2.1 }, 'temperature'],
    [{ temperature: Number.NaN }, 'temperature'],
    [{ topP: 0 }, 'topP'],
    [{ topP: 1.5 }, 'topP'],
    [{ topK: -2 }, 'topK'],
    [{ minP: 1.1 }, 'minP'],
    [{ n: 0 }, 'n'],
    [{ n: 129 }, 'n'],
    [{ n: 1.5 }, 'n'],
    [{ maxTokens: 0 }, 'maxTokens'],
    [{ maxTokens: 1e9 }, 'maxTokens'],
    [{ minTokens: 9, maxTokens: 8 }, 'minTokens'],
    [{ logprobs: 21 }, 'logprobs'],
    [{ presencePenalty: 2.5 }, 'presencePenalty'],
    [{ frequencyPenalty: -2.5 }, 'frequencyPenalty'],
    [{ repetitionPenalty: 0 }, 'repetitionPenalty'],
    [{ stop: '' }, 'stop'],
    [{ stop: Array.from({ length: 17 }, () => 'x') }, 'stop'],
    [{ stop: 'x'.repeat(1025) }, 'stop'],
    [{ stopTokenIds: [503] }, 'stopTokenIds'],
    [{ logitBias: { '503': 1 } }, 'logitBias'],
    [{ logitBias: { x: 1 } }, 'logitBias'],
    [{ seed: 0.5 }, 'seed'],
  ];
  for (const [sampling, param] of cases) {
    test(JSON.stringify(sampling).slice(0, 60), async () => {
      const { submit } = await openEngine();
      assert.throws(
        () => submit(sampling),
        (error: SensoriumError) => error.code === 'invalid_value' && error.param === param,
      );
    });
  }

  test('empty, too long and foreign prompts', async () => {
    const { submit } = await openEngine();
    assert.throws(() => submit({}, { promptIds: [] }), hasCode('prompt_empty'));
    assert.throws(
      () => submit({}, { promptIds: new Array<number>(128).fill(1) }),
      hasCode('prompt_too_long'),
    );
    assert.throws(() => submit({}, { promptIds: [503] }), hasCode('invalid_value'));
    assert.throws(() => submit({}, { promptIds: [-1] }), hasCode('invalid_value'));
  });
});

test('what a request leaves open comes from the checkpoint, then from the engine', async () => {
  const { native, submit } = await openEngine();
  submit({ topP: 0.5, seed: -1, logitBias: { '7': 500 } });
  submit({ seed: 2 ** 63 });
  submit({ topK: -1 }, { promptIds: new Array<number>(100).fill(1) });
  const [first, hugeSeed, second] = native.requests.map((request) => request.sampling);
  assert.equal(hugeSeed?.seed, 2n ** 63n);
  assert.equal(first?.topP, 0.5);
  assert.equal(first?.topK, 20);
  assert.equal(first?.temperature, 1);
  assert.equal(first?.maxTokens, 64);
  assert.equal(first?.seed, 2n ** 64n - 1n);
  assert.deepEqual(first?.logitBias, [[7, 100]]);
  assert.equal(second?.topK, 0);
  assert.equal(second?.maxTokens, 28);
});
